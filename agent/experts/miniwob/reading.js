// What stands on the page and where: `eyehandCharacters()` returns [[word, [[character, x, y], ...],
// [left, top, right, bottom]], ...] for the visible words, in CSS pixels, x and y being the middle
// of each character. Text drawn by canvas is not found.
(() => {
  const { all, WIDTH, HEIGHT } = window.eyehandExperts;
  const canvas = document.createElement("canvas").getContext("2d");

  const shows = (element, x, y) => {
    if (x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT) return false;
    const hit = document.elementFromPoint(x, y);
    return Boolean(hit) && (hit === element || element.contains(hit) || hit.contains(element));
  };

  const visible = (element) => {
    const style = getComputedStyle(element);
    return style.visibility === "visible" && Number(style.opacity) > 0.3;
  };

  const cased = (text, element) => {
    const wanted = getComputedStyle(element).textTransform;
    if (wanted === "uppercase") return text.toUpperCase();
    return wanted === "lowercase" ? text.toLowerCase() : text;
  };

  // Characters as [character, x, y, left, top, right, bottom], with null between two words.
  const ofNode = (node) => {
    const element = node.parentElement;
    const text = cased(node.data, element);
    const found = [];
    const range = document.createRange();
    for (let i = 0; i < node.length; i++) {
      if (/\s/.test(text[i])) { found.push(null); continue; }
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const box = range.getClientRects()[0];
      if (!box || !box.width) { found.push(null); continue; }
      const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
      found.push(shows(element, x, y)
        ? [text[i], x, y, box.left, box.top, box.right, box.bottom] : null);
    }
    return found;
  };

  // The text of a field, button or list, which has no text node of its own.
  const ofControl = (element) => {
    const isList = element.tagName === "SELECT";
    const text = isList
      ? (element.selectedOptions[0] || { text: "" }).text : element.value || element.placeholder || "";
    if (!text || (isList && (element.multiple || element.size > 1))) return [];
    if (["password", "checkbox", "radio", "range", "color", "file"].includes(element.type)) return [];
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    canvas.font = style.font;
    const width = canvas.measureText(text).width, size = parseFloat(style.fontSize);
    const inner = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const isButton = ["submit", "button", "reset"].includes(element.type);
    const centred = isButton || style.textAlign === "center";
    const left = box.left + element.clientLeft + parseFloat(style.paddingLeft)
      + (centred ? (inner - width) / 2 : isList ? 4 : -element.scrollLeft);
    const y = (box.top + box.bottom) / 2;
    return Array.from(text).map((character, i) => {
      if (/\s/.test(character)) return null;
      const from = left + canvas.measureText(text.slice(0, i)).width;
      const to = left + canvas.measureText(text.slice(0, i + 1)).width;
      const x = (from + to) / 2;
      return x > box.left && x < box.right && shows(element, x, y)
        ? [character, x, y, from, y - size / 2, to, y + size / 2] : null;
    });
  };

  const words = (characters) => {
    const found = [];
    let word = null;
    for (const character of characters) {
      if (!character) { word = null; continue; }
      const [letter, x, y, left, top, right, bottom] = character;
      if (!word || Math.abs(word.y - y) > 2) found.push(word = { y, letters: [] });
      word.letters.push([letter, x, y]);
      const box = word.box || [left, top, right, bottom];
      word.box = [Math.min(box[0], left), Math.min(box[1], top), Math.max(box[2], right),
                  Math.max(box[3], bottom)];
    }
    return found.map(({ letters, box }) => [letters.map((l) => l[0]).join(""), letters, box]);
  };

  const textNodes = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, parent = node.parentElement;
      const skipped = !parent || ["SCRIPT", "STYLE", "OPTION", "TEXTAREA"].includes(parent.tagName);
      if (!skipped && node.data.trim() && visible(parent)) found.push(node);
    }
    return found;
  };

  window.eyehandCharacters = () => [
    ...textNodes().flatMap((node) => words(ofNode(node))),
    ...all("input, select").filter(visible).flatMap((control) => words(ofControl(control))),
    ...all("textarea").filter(visible).filter((area) => !area.value.includes("\n"))
      .flatMap((area) => words(ofArea(area))),
  ];

  // The first line of a text area.
  const ofArea = (area) => {
    const style = getComputedStyle(area), box = area.getBoundingClientRect();
    canvas.font = style.font;
    const size = parseFloat(style.fontSize), text = area.value;
    const left = box.left + area.clientLeft + parseFloat(style.paddingLeft);
    const y = box.top + area.clientTop + parseFloat(style.paddingTop) + size * 0.6 - area.scrollTop;
    return Array.from(text).map((character, i) => {
      const from = left + canvas.measureText(text.slice(0, i)).width;
      const to = left + canvas.measureText(text.slice(0, i + 1)).width;
      if (/\s/.test(character) || to > box.right - 4) return null;
      return shows(area, (from + to) / 2, y)
        ? [character, (from + to) / 2, y, from, y - size / 2, to, y + size / 2] : null;
    });
  };
})();
