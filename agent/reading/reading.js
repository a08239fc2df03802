// What stands on a page and where, for pages of any kind, open shadow roots included.
// `eyehandCharacters(width, height)` returns [[word, [[character, x, y], ...],
// [left, top, right, bottom], whole], ...] for the words that are visible in that part of the
// window, in CSS pixels, x and y being the middle of each character; `whole` is false where some of
// a word's characters cannot be seen. `eyehandControls(width, height)` returns
// [[kind, [name, ...], [left, top, right, bottom], ticked], ...] for text fields, checkboxes and
// radio buttons. Text that is drawn by a canvas, a picture or CSS's `content` is not found.
(() => {
  const canvas = document.createElement("canvas").getContext("2d");
  const ICON_FONT = /icon|symbol|awesome|glyph/i;
  const NEVER_READ = ["SCRIPT", "STYLE", "NOSCRIPT", "TITLE", "OPTION", "TEXTAREA", "TEMPLATE"];
  const PAINTED = ["IMG", "VIDEO", "CANVAS", "IFRAME", "OBJECT", "EMBED", "INPUT", "SELECT",
                   "TEXTAREA", "BUTTON", "PROGRESS", "METER"];
  const FIELDS = ["text", "search", "email", "url", "tel", "password", "number"];
  const TEXTLESS = ["checkbox", "radio", "range", "color", "file", "hidden", "image"];

  let seen;  // what is looked at: its size, its roots, and what was asked of its elements before

  const kept = (cache, key, find) => {
    if (!cache.has(key)) cache.set(key, find(key));
    return cache.get(key);
  };

  const styleOf = (element) => kept(seen.styles, element, (e) => getComputedStyle(e));
  const px = (length) => parseFloat(length) || 0;

  // The element around another as it is drawn: through slots, and out of shadow roots.
  const around = (element) => {
    const root = element.getRootNode();
    return element.assignedSlot || element.parentElement
      || (root instanceof ShadowRoot ? root.host : null);
  };

  const outwards = (element) => {
    const found = [];
    for (let e = element; e; e = around(e)) found.push(e);
    return found;
  };

  const roots = (root = document) => [root, ...Array.from(root.querySelectorAll("*"))
    .flatMap((element) => (element.shadowRoot ? roots(element.shadowRoot) : []))];

  const all = (selector) => seen.roots.flatMap((root) => Array.from(root.querySelectorAll(selector)));

  // --- what can be seen of an element ---

  const opacity = (element) => kept(seen.opacities, element, (e) => {
    const outer = around(e);
    return Number(styleOf(e).opacity) * (outer ? opacity(outer) : 1);
  });

  const visible = (element) => {
    const style = styleOf(element);
    const hasBox = style.display === "contents" || element.checkVisibility();
    return hasBox && style.visibility === "visible" && opacity(element) > 0.3;
  };

  const inner = (element) => {
    const box = element.getBoundingClientRect();
    const left = box.left + element.clientLeft, top = box.top + element.clientTop;
    return [left, top, left + element.clientWidth, top + element.clientHeight];
  };

  const meet = (a, b) => [Math.max(a[0], b[0]), Math.max(a[1], b[1]),
                          Math.min(a[2], b[2]), Math.min(a[3], b[3])];

  // The part of the window in which an element's content can be seen. What is placed absolutely
  // is not clipped by elements around it that are not placed themselves.
  const clip = (element) => kept(seen.clips, element, () => {
    let part = [0, 0, seen.width, seen.height], leaves = false;
    for (const e of outwards(element)) {
      const style = styleOf(e), isPlaced = style.position !== "static" || style.transform !== "none";
      if (style.clip !== "auto" || /inset\((50|100)%/.test(style.clipPath)) return [0, 0, 0, 0];
      if (leaves && !isPlaced) continue;
      const clips = style.overflowX !== "visible" || style.overflowY !== "visible";
      const isPage = e === document.body || e === document.documentElement;
      if (clips && !isPage && !/^(inline|contents)$/.test(style.display)) part = meet(part, inner(e));
      if (style.position === "fixed") break;
      leaves = style.position === "absolute";
    }
    return part;
  });

  // How much of what lies under it a colour hides, 0 to 1.
  const strength = (color) => {
    const parts = color.match(/[\d.]+%?/g) || ["0"];
    if (!/^(rgba|hsla)|\//.test(color)) return 1;
    const alpha = parts[parts.length - 1];
    return alpha.endsWith("%") ? parseFloat(alpha) / 100 : Number(alpha);
  };

  const covers = (element) => {
    const style = styleOf(element);
    if (style.visibility !== "visible" || opacity(element) < 0.7) return false;
    return PAINTED.includes(element.tagName) || style.backgroundImage !== "none"
      || strength(style.backgroundColor) > 0.7;
  };

  // The elements at a place from the top, those inside of shadow roots included.
  const stack = (root, x, y) => root.elementsFromPoint(x, y)
    .filter((e) => e.getRootNode() === root)
    .flatMap((e) => (e.shadowRoot ? [...stack(e.shadowRoot, x, y), e] : [e]));

  // Whether nothing hides an element's content at a place; `slack` is room above and below it.
  const shows = (element, x, y, slack = 0) => {
    const [left, top, right, bottom] = clip(element);
    if (x < left || x >= right || y - slack < top || y + slack >= bottom) return false;
    const own = kept(seen.outwards, element, (e) => new Set(outwards(e)));
    for (const hit of stack(document, x, y)) {
      if (own.has(hit)) return true;
      if (covers(hit)) return false;
    }
    return true;
  };

  // --- characters ---

  const big = (text, i) => {
    const letter = text[i].toUpperCase();
    return letter.length === 1 ? letter : text[i];
  };

  const cased = (text, style) => {
    const wanted = /small-caps/.test(style.fontVariantCaps) ? "uppercase" : style.textTransform;
    const begins = (i) => i === 0 || /[\s(["'-]/.test(text[i - 1]);
    if (wanted === "uppercase") return Array.from({ length: text.length }, (_, i) => big(text, i)).join("");
    if (wanted === "lowercase") return text.toLowerCase();
    return wanted !== "capitalize" ? text
      : Array.from({ length: text.length }, (_, i) => (begins(i) ? big(text, i) : text[i])).join("");
  };

  // What separates words; a sign of an icon font, or half a character of another plane, does too.
  const isGap = (character) => /[\s\uD800-\uF8FF]/.test(character);

  const measured = (text, style) => {
    canvas.font = style.font;
    canvas.letterSpacing = style.letterSpacing === "normal" ? "0px" : style.letterSpacing;
    return canvas.measureText(text).width;
  };

  // Where a line that ends in three dots for want of room is cut off.
  const cutAt = (element) => {
    const block = outwards(element).find((e) => !/^(inline|contents)$/.test(styleOf(e).display));
    const style = block && styleOf(block);
    if (!style || style.textOverflow !== "ellipsis" || style.overflowX === "visible") return Infinity;
    if (block.scrollWidth <= block.clientWidth) return Infinity;
    return inner(block)[2] - px(style.paddingRight) - measured("…", style);
  };

  // Characters as [character, x, y, left, top, right, bottom], with null between two words and
  // false for those that cannot be seen.
  const ofNode = (node) => {
    const element = around(node), style = styleOf(element), range = document.createRange();
    const text = cased(node.data, style), cut = cutAt(element), spacing = px(style.letterSpacing);
    const found = [];
    for (let i = 0; i < node.length; i++) {
      if (isGap(text[i])) { found.push(null); continue; }
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const box = range.getClientRects()[0];
      if (text[i] === "\u00AD" && !(box && box.width)) continue;
      if (!box || !box.width) { found.push(null); continue; }
      const right = box.right - spacing;  // the space after a letter is part of its box
      const x = (box.left + right) / 2, y = (box.top + box.bottom) / 2;
      found.push(right <= cut + 0.5 && shows(element, x, y, box.height * 0.3)
        ? [text[i], x, y, box.left, box.top, right, box.bottom] : false);
    }
    return found;
  };

  // A line of text in a control from `left` to `end` at most, around `y`.
  const line = (element, text, left, y, end) => {
    const style = styleOf(element), size = px(style.fontSize), box = element.getBoundingClientRect();
    return Array.from({ length: text.length }, (_, i) => {
      if (isGap(text[i])) return null;
      const from = left + measured(text.slice(0, i), style);
      const to = left + measured(text.slice(0, i + 1), style) - px(style.letterSpacing);
      const x = (from + to) / 2;
      return x > box.left && to <= end && shows(element, x, y, size * 0.35)
        ? [text[i], x, y, from, y - size / 2, to, y + size / 2] : false;
    });
  };

  // What stands in a field; a hint is often made invisible.
  const written = (element) => {
    if (element.type === "password" && element.value) return "";  // dots are drawn
    if (element.value || !element.placeholder) return element.value;
    const style = getComputedStyle(element, "::placeholder");
    return strength(style.color) * Number(style.opacity) > 0.3 ? element.placeholder : "";
  };

  const room = (element) => {
    const style = styleOf(element), [left, top, right, bottom] = inner(element);
    return [left + px(style.paddingLeft), top + px(style.paddingTop),
            right - px(style.paddingRight), bottom - px(style.paddingBottom)];
  };

  // The text of a field, button or list, which has no text node of its own.
  const ofControl = (element) => {
    const isList = element.tagName === "SELECT", style = styleOf(element);
    if (TEXTLESS.includes(element.type) || (isList && (element.multiple || element.size > 1))) return [];
    const text = cased(isList ? (element.selectedOptions[0] || { text: "" }).text : written(element), style);
    if (!text || strength(style.color) < 0.3) return [];
    const [left, top, right, bottom] = room(element), free = right - left - measured(text, style);
    const y = (top + bottom) / 2;
    if (["submit", "button", "reset"].includes(element.type)) {
      return line(element, text, left + free / 2, y, Infinity);
    }
    if (isList) return line(element, text, left + (style.appearance === "none" ? 0 : 4), y, right);
    const share = { center: 0.5, right: 1, end: 1 }[style.textAlign] || 0;
    return line(element, text, left + Math.max(free, 0) * share - element.scrollLeft, y, right + 1);
  };

  // The text of a text area where it is one line.
  const ofArea = (area) => {
    const style = styleOf(area), [left, top, right] = room(area), text = written(area);
    if (text.includes("\n") || measured(text, style) > right - left) return [];
    const height = parseFloat(style.lineHeight) || px(style.fontSize) * 1.2;
    return line(area, text, left, top + height / 2 - area.scrollTop, right + 1);
  };

  // The words of pieces of text; the next piece goes on with a word where it touches it.
  const words = (pieces) => {
    const found = [];
    let word = null, follows = false;
    const end = (hidden) => {
      if (word && hidden) word.whole = false;
      word = null;
      follows = hidden;
    };
    const add = ([letter, x, y, left, top, right, bottom]) => {
      if (!word || Math.abs(word.y - y) > 2) {
        found.push(word = { y, letters: [], box: [left, top, right, bottom], whole: !follows });
      }
      follows = false;
      word.letters.push([letter, x, y]);
      word.box = [Math.min(word.box[0], left), Math.min(word.box[1], top),
                  Math.max(word.box[2], right), Math.max(word.box[3], bottom)];
    };
    for (const piece of pieces) {
      if (!word || !piece[0] || Math.abs(piece[0][3] - word.box[2]) > 1) end(false);
      for (const character of piece) {
        if (character) add(character); else end(character === false);
      }
    }
    return found.map(({ letters, box, whole }) =>
      [letters.map((l) => l[0]).join(""), letters, box, whole]);
  };

  const isRead = (node) => {
    const parent = around(node);
    if (!parent || NEVER_READ.includes(parent.tagName) || !node.data.trim()) return false;
    if (parent.tagName === "DETAILS" && !parent.open) return false;
    const range = document.createRange(), style = styleOf(parent);
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const isInside = box.bottom > 0 && box.right > 0 && box.top < seen.height && box.left < seen.width;
    return isInside && visible(parent) && !ICON_FONT.test(style.fontFamily.split(",")[0])
      && style.writingMode === "horizontal-tb" && strength(style.webkitTextFillColor) > 0.3;
  };

  const textNodes = () => seen.roots.flatMap((root) => {
    const walker = document.createTreeWalker(root === document ? document.body : root, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) if (isRead(walker.currentNode)) found.push(walker.currentNode);
    return found;
  });

  const characters = () => [
    ...words(textNodes().map(ofNode)),
    ...all("input, select").filter(visible).flatMap((control) => words([ofControl(control)])),
    ...all("textarea").filter(visible).flatMap((area) => words([ofArea(area)])),
  ];

  // --- controls ---

  // A switch is a checkbox to the page, and another thing to the eye.
  const kindOf = (element) => {
    if (element.tagName === "TEXTAREA" || FIELDS.includes(element.type)) return "field";
    const { width, height } = element.getBoundingClientRect();
    const isSwitch = element.getAttribute("role") === "switch" || width > 1.4 * height;
    if (isSwitch || width < 8 || width > 40) return "";
    return { checkbox: "checkbox", radio: "radio button" }[element.type] || "";
  };

  const names = (element) => {
    const root = element.getRootNode();
    const others = (element.getAttribute("aria-labelledby") || "").split(/\s+/)
      .map((id) => id && root.getElementById(id)).filter(Boolean);
    return [
      others.map((other) => other.innerText).join(" "),
      element.getAttribute("aria-label"),
      ...Array.from(element.labels || [], (label) => label.innerText),
      element.value ? "" : element.placeholder,
    ].map((name) => (name || "").replace(/\s+/g, " ").trim()).filter(Boolean);
  };

  const controls = () => all("input, textarea").filter(visible).flatMap((element) => {
    const kind = kindOf(element), box = element.getBoundingClientRect();
    const part = meet(clip(element), [box.left, box.top, box.right, box.bottom]);
    if (!kind || part[2] - part[0] < 8 || part[3] - part[1] < 8) return [];
    if (!shows(element, (part[0] + part[2]) / 2, (part[1] + part[3]) / 2)) return [];
    const ticked = kind === "checkbox" && !element.indeterminate ? element.checked : null;
    return [[kind, names(element), part, ticked]];
  });

  // What lets the mouse through is hit too while a page is looked at: what counts is what is seen.
  const looking = (look) => (width = innerWidth, height = innerHeight) => {
    const caches = ["styles", "opacities", "clips", "outwards"].map((name) => [name, new Map()]);
    seen = { width, height, roots: roots(), ...Object.fromEntries(caches) };
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { pointer-events: auto !important; }");
    for (const root of seen.roots) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    try {
      return look();
    } finally {
      for (const root of seen.roots) {
        root.adoptedStyleSheets = root.adoptedStyleSheets.filter((one) => one !== sheet);
      }
    }
  };

  window.eyehandCharacters = looking(characters);
  window.eyehandControls = looking(controls);
})();
