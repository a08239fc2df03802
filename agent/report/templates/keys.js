(() => {
  const cards = [...document.querySelectorAll("article[id]")];
  const links = new Map([...document.querySelectorAll("nav.steps a")].map((a) => [a.hash.slice(1), a]));
  let current = 0;
  const mark = (index) => {
    current = index;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(cards[index]?.id)?.setAttribute("aria-current", "step");
  };
  const go = (index) => {
    if (!cards.length) return;
    mark(Math.min(Math.max(index, 0), cards.length - 1));
    cards[current].scrollIntoView();
  };
  const keys = { ArrowRight: () => go(current + 1), ArrowLeft: () => go(current - 1), Home: () => go(0), End: () => go(cards.length - 1) };
  addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener("scrollend", () => {
    const middle = innerHeight / 3;
    const at = cards.findIndex((card) => card.getBoundingClientRect().bottom > middle);
    if (at >= 0) mark(at);
  });
  mark(0);
})();
