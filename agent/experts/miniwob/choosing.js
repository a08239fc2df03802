// Tasks of choosing: boxes to tick, lists, menus, trees, pages to turn.
(() => {
  const {
    define, all, one, text, quoted, seen, click, hover, select, press,
    reveal, place, ordinal, remembered, said,
  } = window.eyehandExperts;

  const SUBMIT = () => one("#subbtn") || all("#area button").find((b) => text(b) === "Submit");

  // --- boxes to tick ---

  const boxes = () => all("#area label").map((label) => ({
    name: text(label), input: one("input", label),
  }));
  const tick = (wanted) => {
    const index = boxes().findIndex(({ name, input }) => input.checked !== wanted(name));
    if (index < 0) return press(SUBMIT(), "Every box is as it should be.");
    const { name, input } = boxes()[index];
    const state = input.checked ? "ticked but not wanted" : "not ticked";
    return press(input, `"${name}", the ${ordinal(index)}, is ${state}.`);
  };
  const listed = (instruction, lead) => {
    const names = instruction.slice(lead.length, -" and click Submit.".length).split(", ");
    return (name) => names.includes(name);
  };
  define(["click-checkboxes", "click-checkboxes-large", "click-checkboxes-transfer"], {
    others: () => boxes().map(({ name }) => `Select ${name} and click Submit.`),
    answer: (instruction) => tick(listed(instruction, "Select ")),
  });
  define("click-checkboxes-soft", {
    answer: (instruction) => {
      const isListed = listed(instruction, "Select words similar to ");
      return tick((name) =>
        SYNONYMS.some((group) => group.includes(name) && group.some((word) => isListed(word))));
    },
  });
  define("click-option", {
    others: () => boxes().map(({ name }) => `Select ${name} and click Submit.`),
    answer: (instruction) => {
      const index = boxes().findIndex(
        ({ name }) => instruction === `Select ${name} and click Submit.`);
      const { name, input } = boxes()[index];
      if (input.checked) return press(SUBMIT(), `"${name}" is selected.`);
      return press(input, `"${name}" is the ${ordinal(index)} option.`);
    },
  });

  // --- lists ---

  const options = () => all("#options option");
  define("choose-list", {
    others: () => options().map((o) => `Select ${text(o)} from the list and click Submit.`),
    answer: (instruction) => {
      const [, wanted] = /^Select (.*) from the list and click Submit\.$/.exec(instruction);
      const list = one("#options"), shown = text(list.selectedOptions[0]);
      if (shown === wanted) return press(SUBMIT(), `The list shows "${wanted}".`);
      return select(list, wanted, `The list shows "${shown}".`);
    },
  });
  const pairs = (names) => names.flatMap((a) => names.map((b) => (a === b ? [a] : [a, b])));
  define("click-scroll-list", {
    others: () => options().map((o) => `Select ${text(o)} from the scroll list and click Submit.`),
    answer: (instruction) => {
      const tail = " from the scroll list and click Submit.";
      const wanted = pairs(options().map(text)).find(
        (names) => instruction === `Select ${names.join(", ")}${tail}`);
      const chosen = options().filter((o) => o.selected).map(text);
      const missing = wanted.find((name) => !chosen.includes(name));
      const wrong = chosen.find((name) => !wanted.includes(name));
      if (wrong !== undefined) {
        // A click on one option lets go of all others.
        const first = options().find((o) => text(o) === wanted[0]);
        return press(first, `"${wrong}" is selected wrongly.`);
      }
      if (missing === undefined) return press(SUBMIT(), "Every option is as it should be.");
      return select(one("#options"), missing, `"${missing}" is not selected.`);
    },
  });
  define("form-sequence-3", {
    answer: (instruction) => {
      const [, height] = /^Choose (.*) from the dropdown/.exec(instruction);
      const [label] = quoted(instruction), shown = one(".selectric .label");
      const items = all(".selectric-items li"), open = one(".selectric-open");
      if (text(shown) === height && !open) {
        const button = all("#buttons button").find((b) => text(b) === label);
        return press(button, `The list shows "${height}".`);
      }
      if (!open) return press(one(".selectric"), "The list is closed.");
      return press(items.find((item) => text(item) === height), `"${height}" is in the list.`);
    },
  });

  // --- menus ---

  const itemOf = (name, inside = document) =>
    all(".ui-menu-item > div", inside).find((item) => text(item) === name);
  const leaves = () => all("#menu .ui-menu-item").filter(
    (item) => !one(".ui-menu", item) && seen(one("div", item)));
  const path = (item) => {
    const above = item.parentElement.closest(".ui-menu-item");
    return [...(above ? path(above) : []), text(one("div", item))];
  };
  define("click-menu", {
    others: () => leaves().map((item) => `Select ${path(item).join(">")}`),
    answer: (instruction) => {
      const names = instruction.slice("Select ".length).split(">");
      const leaf = itemOf(names[names.length - 1]);
      if (seen(leaf)) return click(leaf, `"${text(leaf)}" is at the ${place(leaf)}.`);
      const open = names.filter((name) => seen(itemOf(name))).pop();
      const item = open && itemOf(open);
      return item ? hover(item, `"${names[names.indexOf(open) + 1]}" is below "${open}".`) : null;
    },
  });
  const PLAYBACK = ["Prev", "Stop", "Play", "Next"];
  define("click-menu-2", {
    others: () => Object.keys(PROBLEM_SET).map((label) =>
      `Click the "Menu" button, and then find and click on the item labeled "${label}".`),
    answer: (instruction) => {
      const drawn = one("#query .ui-icon");
      const icon = drawn && Array.from(drawn.classList).find((name) => name !== "ui-icon");
      const label = instruction === said() && drawn
        ? Object.keys(PROBLEM_SET).find((name) => PROBLEM_SET[name] === icon)
        : quoted(instruction)[1];
      if (!seen(one("#menu"))) return press(one("#open-menu"), "The menu is closed.");
      const item = itemOf(label);
      if (seen(item)) return click(item, `"${label}" is at the ${place(item)}.`);
      const playback = PLAYBACK.includes(label) && itemOf("Playback");
      return playback ? click(playback, `"${label}" is below "Playback".`) : null;
    },
  });
  const pieTitles = () => all("#divWheel text").filter((t) => /title-\d+$/.test(t.id));
  const spread = (title) => title.getBoundingClientRect().height > 8;
  define(["click-pie", "click-pie-nodelay"], {
    others: () => pieTitles().map((title) =>
      `Expand the pie menu below and click on the item labeled "${text(title)}".`),
    answer: (instruction) => {
      const [label] = quoted(instruction), title = pieTitles().find((t) => text(t) === label);
      // The page takes no click on the item that it has selected itself, drawn in white.
      if (!title || title.getAttribute("fill") === "#ffffff") return null;
      if (spread(title)) return click(title, () => `"${label}" is at the ${place(title)}.`);
      return click(one("#wheelnav-divWheel-spreadertitle"), "The pie menu is closed.");
    },
  });

  // --- trees and pages ---

  define("navigate-tree", {
    others: () => all("#tree span").filter(seen).map((item) =>
      "Navigate through the file tree. Find and click on the folder or file named " +
      `"${text(item)}".`),
    answer: (instruction) => {
      const [name] = quoted(instruction);
      const item = all("#tree span").find((i) => text(i) === name && seen(i));
      if (item) return click(item, `"${name}" is at the ${place(item)}.`);
      const closed = all("#tree li.expandable > span").find(seen);
      return click(closed, closed && `"${name}" is not in view, "${text(closed)}" is closed.`);
    },
  });

  const page = () => text(one("#pagination .active"));
  const turn = (label) => all("#pagination a").find((a) => text(a) === label);
  define("phone-book", {
    others: () => ["phone number", "email", "address"].map((property) =>
      `Find ${text(one("#contact .name"))} in the contact book and click on their ${property}.`),
    answer: (instruction) => {
      const [, name, property] =
        /^Find (.*) in the contact book and click on their (\w+)/.exec(instruction);
      const shown = text(one("#contact .name")), pages = remembered("pages", () => new Set());
      pages.add(page());
      if (shown === name) {
        const link = one(`#contact a.${property}`);
        return press(link, `The ${property} of ${name} is at the ${place(link)}.`);
      }
      const before = [1, 2, 3, 4, 5].some((n) => n < Number(page()) && !pages.has(String(n)));
      const after = Number(page()) < 5 && ![1, 2, 3, 4, 5].every(
        (n) => n <= Number(page()) || pages.has(String(n)));
      const next = turn(after || !before ? ">" : "<");
      return press(next, `This is ${shown}, not ${name}.`);
    },
  });

  // --- the best of several offers: all of them are looked at first ---

  // The first item whose `shown` part has not been in view in this episode.
  const unseen = (items, shown) => {
    const looked = remembered("looked", () => new WeakSet());
    for (const item of items) if (seen(shown(item))) looked.add(item);
    return items.find((item) => !looked.has(item));
  };
  // Presses the button of the offer with the least `value`, once all have been in view.
  const best = (items, button, value, word) => {
    const next = unseen(items, button);
    if (next) return reveal(button(next), "There are more offers.");
    const chosen = items.reduce((a, b) => (value(b) < value(a) ? b : a));
    return press(button(chosen), `The ${ordinal(items.indexOf(chosen))} offer is the ${word}.`);
  };
  const offers = (items, wanted) => {
    const price = (item) => Number(one("[data-price]", item).getAttribute("data-price"));
    const time = (item) => Number(one("[data-duration]", item).getAttribute("data-duration"));
    const value = /cheap/.test(wanted) ? price
      : /expensive/.test(wanted) ? (item) => -price(item)
      : /short/.test(wanted) ? time : (item) => -time(item);
    return best(items, (item) => one(".book button", item), value, wanted);
  };
  window.eyehandExperts.offers = offers;
  define("buy-ticket", {
    others: () => ["cheapest cost", "shortest duration", "longest duration", "most expensive cost"]
      .map((wanted) => `Buy the ticket with the ${wanted}.`),
    answer: (instruction) => {
      const [, wanted] = /with the (.*) \w+\.$/.exec(instruction);
      return offers(all("#area .flight"), wanted);
    },
  });

  const foods = () => all("#area .food-item");
  const quantity = (food) => Number(food.getAttribute("data-quantity"));
  const foodName = (food) => text(one(".item-name", food));
  define("order-food", {
    answer: (instruction) => {
      const [, names] = /^Order one of each item: (.*)$/.exec(instruction) || [];
      const [, count, kind] = /^Order (\d+) items that are (.*)$/.exec(instruction) || [];
      const fits = (food) => (names
        ? names.split(", ").includes(foodName(food))
        : all(".types img", food).some((image) => image.alt === kind));
      const ordered = foods().filter(fits).reduce((sum, food) => sum + quantity(food), 0);
      const excess = foods().find((food) => quantity(food) && !fits(food)) ||
        (names ? foods().find((food) => quantity(food) > 1)
          : foods().find((food) => quantity(food) && ordered > count));
      const lacking = names
        ? foods().find((food) => fits(food) && !quantity(food))
        : foods().find((food) => fits(food) && ordered < count);
      if (excess) {
        return press(one(".remove", excess), `There is too much of "${foodName(excess)}".`);
      }
      if (lacking) {
        const thought = names ? `"${foodName(lacking)}" is not ordered yet.`
          : `"${foodName(lacking)}" is ${kind}, ${ordered} of ${count} are ordered.`;
        return press(one(".add", lacking), thought);
      }
      return press(one("#submit-order button"), "Everything is ordered.");
    },
  });
})();
