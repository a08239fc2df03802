// Privileged experts for MiniWoB++ pages: they read the page's structure, which the agent never
// sees. `eyehandQuestions()` returns [[instruction, call], ...]: the page's own task first, then
// other instructions that the same screen answers. A call is {name, ...arguments}; points are
// [x, y] in CSS pixels. An empty list means that nothing on the screen can be done.
(() => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);
  const text = (element) => element.textContent.trim();

  // The visible point of an element that lies nearest to the middle of its visible part.
  const spot = (element) => {
    const boxes = Array.from(element.getClientRects());
    if (!boxes.length) return null;
    const box = boxes.reduce((a, b) => (a.width * a.height >= b.width * b.height ? a : b));
    const seen = [];
    for (let i = 1; i < 12; i++) {
      for (let j = 1; j < 8; j++) {
        const x = box.left + (box.width * i) / 12;
        const y = box.top + (box.height * j) / 8;
        const hit = document.elementFromPoint(x, y);
        if (hit && (element === hit || element.contains(hit))) seen.push([x, y]);
      }
    }
    if (!seen.length) return null;
    const mean = [0, 1].map((k) => seen.reduce((sum, p) => sum + p[k], 0) / seen.length);
    const distance = (p) => (p[0] - mean[0]) ** 2 + (p[1] - mean[1]) ** 2;
    const nearest = seen.reduce((a, b) => (distance(a) <= distance(b) ? a : b));
    return nearest.map((value, k) => (Math.abs(value - mean[k]) < 2 ? mean[k] : value));
  };

  const click = (element) => {
    const point = element && spot(element);
    return point ? { name: "click", point } : null;
  };

  // Pairs of instruction and element, without instructions that name two different elements.
  const questions = (pairs) => {
    const first = new Map();
    for (const [instruction, element] of pairs) {
      const call = click(element);
      if (call && !first.has(instruction)) first.set(instruction, call);
    }
    return Array.from(first);
  };

  const typed = (field, wanted, submit) => {
    if (field.value === wanted) return click(submit);
    if (document.activeElement !== field) return click(field);
    return { name: "type_text", text: wanted };
  };

  // Canvas drawings leave no elements: count the sides of the last outline while it is drawn.
  let sides = 0;
  const context = CanvasRenderingContext2D.prototype;
  const { beginPath, lineTo } = context;
  context.beginPath = function (...a) { sides = 0; return beginPath.apply(this, a); };
  context.lineTo = function (...a) { sides += 1; return lineTo.apply(this, a); };

  const shapeOf = (element) => {
    const content = element.textContent.trim();
    const kinds = { rect: "rectangle", circle: "circle", polygon: "triangle" };
    const box = element.getBBox();
    const extent = content ? parseFloat(element.getAttribute("font-size")) : box.width;
    return {
      size: extent > 0.75 * shapes.MAX_SIZE ? "large" : "small",
      color: element.getAttribute("fill"),
      text: content || kinds[element.tagName],
      type: content ? (/\d/.test(content) ? "digit" : "letter") : "shape",
    };
  };

  const describe = (shape) => {
    const flip = () => Math.random() < 0.5;
    const parts = [flip() ? shape.size : "", flip() ? shape.color : ""];
    const bare = parts.every((part) => !part);
    parts.push(flip() || bare ? (flip() ? shape.text : shape.type) : "item");
    return parts;
  };

  const matches = (shape, [size, color, what]) =>
    (!size || size === shape.size) &&
    (!color || color === shape.color) &&
    (what === "item" || what === shape.text || what === shape.type);

  // The parts of a description such as "large red triangle", each "" where it is not given.
  const parsed = (words, found) => {
    const size = ["large", "small"].find((w) => words.includes(w)) || "";
    const color = found.map((s) => s.color).find((w) => words.includes(w)) || "";
    return [size, color, words[words.length - 1]];
  };

  const drag = (start, end) => ({ name: "drag", start, end });
  const ordinal = ["1st", "2nd", "3rd"];

  const experts = {
    "click-test": () => questions([["Click the button.", one("#subbtn")]]),
    "click-test-2": () =>
      questions([
        ["Click button ONE.", one("#subbtn")],
        ["Click button TWO.", one("#subbtn2")],
      ]),
    "focus-text": () => questions([["Focus into the textbox.", one("#tt")]]),
    "focus-text-2": () =>
      questions(ordinal.map((n, i) => [`Focus into the ${n} input textbox.`, one(`#tt${i + 1}`)])),
    "click-color": () =>
      questions(
        all("#area .color").map((box) => [
          `Click on the ${box.getAttribute("data-color")} colored box.`,
          box,
        ]),
      ),
    "click-dialog": () =>
      questions([['Close the dialog box by clicking the "x".', one(".ui-dialog-titlebar-close")]]),
    "click-dialog-2": () => {
      const buttons = all(".ui-dialog-buttonset button").map((b) => [text(b), b]);
      return questions(
        [...buttons, ["x", one(".ui-dialog-titlebar-close")]].map(([label, button]) => [
          `Click the button in the dialog box labeled "${label}".`,
          button,
        ]),
      );
    },
    "click-widget": () =>
      questions(
        all("#area .widget").map((widget) => {
          const inner = widget.querySelector("input, textarea, button");
          return [`Click on a "${inner.getAttribute("data-type")}" widget.`, inner];
        }),
      ),
    "click-button": () =>
      questions(all("#area button").map((b) => [`Click on the "${text(b)}" button.`, b])),
    "click-link": () =>
      questions(all("#area .alink").map((link) => [`Click on the link "${text(link)}".`, link])),
    "identify-shape": () => {
      const shape = one("#area_svg").lastElementChild;
      const letters = (shape.textContent || "").trim();
      const kinds = { rect: "rectangle", circle: "circle", polygon: "triangle" };
      const kind = letters ? (/\d/.test(letters) ? "digit" : "letter") : kinds[shape.tagName];
      return questions([[core.getUtterance(), one(`#area-buttons button[data-type="${kind}"]`)]]);
    },
    "count-sides": () =>
      questions([[core.getUtterance(), one(`#form button[data-sides="${sides}"]`)]]),
    "click-shape": () => {
      const elements = Array.from(one("#area_svg").children);
      const found = elements.map(shapeOf);
      const own = core.getUtterance().replace("Click on a ", "").split(" ");
      const wanted = [parsed(own, found), ...found.map(describe)];
      return questions(
        wanted.map((parts) => [
          `Click on a ${parts.filter((part) => part).join(" ")}`,
          elements[found.findIndex((shape) => matches(shape, parts))],
        ]),
      );
    },
    "click-tab": () =>
      questions(all("#area ul a").map((tab) => [`Click on ${text(tab)}.`, tab])),
    "grid-coordinate": () =>
      questions(all("#area circle").map((c) => [`Click on the grid coordinate ${c.id}.`, c])),
    "enter-text": () => {
      const wanted = /"(.*)"/.exec(core.getUtterance())[1];
      const call = typed(one("#tt"), wanted, one("#subbtn"));
      return call ? [[core.getUtterance(), call]] : [];
    },
    "click-collapsible-nodelay": () => {
      const open = one(".ui-accordion-header[aria-expanded=true]");
      const call = click(open ? one("#subbtn") : one(".ui-accordion-header"));
      return call ? [[core.getUtterance(), call]] : [];
    },
    "drag-box": () => {
      const inner = one("#draggableSmall").getBoundingClientRect();
      const outer = one("#draggableLarge").getBoundingClientRect();
      const contained =
        inner.left > outer.left && inner.right < outer.right &&
        inner.top > outer.top && inner.bottom < outer.bottom;
      const start = spot(one("#draggableSmall"));
      const middle = [(outer.left + outer.right) / 2, (outer.top + outer.bottom) / 2];
      // A box that is picked up away from its middle lands off centre by as much.
      const shift = start && [
        start[0] - (inner.left + inner.right) / 2,
        start[1] - (inner.top + inner.bottom) / 2,
      ];
      const call = contained
        ? click(one("#subbtn"))
        : start && drag(start, [middle[0] + shift[0], middle[1] + shift[1]]);
      return call ? [[core.getUtterance(), call]] : [];
    },
  };

  window.eyehandQuestions = (task) => {
    const own = core.getUtterance();
    const list = experts[task]();
    return list.sort((a, b) => (b[0] === own) - (a[0] === own));
  };
  window.eyehandExperts = Object.keys(experts);
})();
