// Tasks of drags: boxes, shapes, lists, lines, sliders, text to mark.
(() => {
  const {
    define, all, one, text, spot, seen, middle, place, ordinal, clickAt, drag, press, remembered,
  } = window.eyehandExperts;

  const submit = (thought) =>
    press(one("#subbtn") || one("#submit") || one("#controls button"), thought);
  const boxOf = (element) => element.getBoundingClientRect();
  const bounded = (value, least, most) => Math.min(Math.max(value, least), most);

  define("drag-box", {
    answer: () => {
      const inner = boxOf(one("#draggableSmall")), outer = boxOf(one("#draggableLarge"));
      const contained =
        inner.left > outer.left && inner.right < outer.right &&
        inner.top > outer.top && inner.bottom < outer.bottom;
      if (contained) return submit("The small box is inside the large one.");
      const start = spot(one("#draggableSmall"));
      // A box that is picked up away from its middle lands off centre by as much.
      const from = middle(inner), to = middle(outer);
      return start && drag(start, [0, 1].map((k) => to[k] + start[k] - from[k]),
        () => `The large box is at the ${place(one("#draggableLarge"))}.`);
    },
  });

  // --- shapes of an svg; a shape that is dragged jumps to the mouse, off centre by its kind ---

  const GRIP = { rect: 0.5, circle: 0.6, polygon: 0.4 };
  // Drags a shape so that its middle comes to a point in CSS pixels.
  const carry = (shape, [x, y], thought) => {
    const start = spot(shape), width = shape.getBBox().width;
    const off = (GRIP[shape.tagName] - 0.5) * width;
    return start && drag(start, [x + off, y + off], thought);
  };
  const origin = () => boxOf(one("#area svg"));
  const WAYS = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };
  const FAR = 26;

  const moving = (said) => ({
    others: () => Object.keys(WAYS).map(said),
    answer: (instruction) => {
      const way = Object.keys(WAYS).find((name) => said(name) === instruction);
      const shape = one("#area svg .black-circle, #area svg .black-shape"), box = shape.getBBox();
      const { x, y } = shapes.gridCoords(shape), [dx, dy] = WAYS[way];
      if ((x - box.x) * dx + (y - box.y) * dy > 4) return submit(`The item was moved ${way}.`);
      const { left, top } = origin();
      const target = [
        left + box.x + box.width / 2 + dx * FAR, top + box.y + box.height / 2 + dy * FAR,
      ];
      return carry(shape, target, () => `The item is at the ${place(shape)}.`);
    },
  });
  define("drag-circle", moving((way) => `Drag the circle ${way} then press Submit.`));
  define("drag-single-shape", moving((way) => `Drag the item ${way} then press Submit.`));

  const KINDS = { rectangles: "rect", circles: "circle", triangles: "polygon" };
  const NAMES = { rect: "rectangle", circle: "circle", polygon: "triangle" };
  const containers = () => all("#shape-container").map((c) => {
    const { x, y, width, height } = c.getBBox();
    return { x, y, width, height };
  });
  const movable = () => all("#area_svg > *").filter((shape) => shape.id !== "shape-container");
  const inside = (shape, { x, y, width, height }) => {
    const at = shapes.gridCoords(shape);
    return at.x > x && at.x < x + width && at.y > y && at.y < y + height;
  };
  // The first place of a container that no shape takes.
  const room = ({ x, y, width, height }, shape) => {
    const others = movable().filter((other) => other !== shape)
      .map((other) => middle(boxOf(other)));
    const { left, top } = origin(), spots = [];
    for (let v = y + 12; v <= y + height - 8; v += 18) {
      for (let u = x + 12; u <= x + width - 8; u += 18) spots.push([left + u, top + v]);
    }
    const apart = (point) =>
      Math.min(99, ...others.map((other) => Math.hypot(other[0] - point[0], other[1] - point[1])));
    return spots.find((point) => apart(point) > 15) ||
      spots.reduce((a, b) => (apart(b) > apart(a) ? b : a));
  };
  const shapeName = (shape) => `${shape.getAttribute("fill")} ${NAMES[shape.tagName]}`;
  const into = (container, shape, name) =>
    carry(shape, room(container, shape),
      () => `The ${shapeName(shape)} at the ${place(shape)} belongs into the ${name}box.`);
  define("drag-shapes", {
    others: () => Object.keys(KINDS).map((kind) => `Drag all ${kind} into the black box.`),
    answer: (instruction) => {
      const [, kind] = /all (\w+) into/.exec(instruction), [container] = containers();
      const belongs = (shape) => shape.tagName === KINDS[kind];
      const wrong = movable().filter((shape) => belongs(shape) !== inside(shape, container));
      const shape = wrong.find(seen);
      if (!shape) return wrong.length ? null : submit(`All ${kind} are inside the box.`);
      if (belongs(shape)) return into(container, shape, "");
      const { x, y, width, height } = container, { left, top } = origin();
      const outside = y > 24 ? [left + x + width / 2, top + y - 14]
        : [left + x + width / 2, top + y + height + 14];
      return carry(shape, outside, () => `The ${shapeName(shape)} does not belong into the box.`);
    },
  });
  define("drag-shapes-2", {
    others: () => [
      ...Object.keys(KINDS),
      ...Array.from(new Set(movable().map((s) => `${s.getAttribute("fill")} shapes`))),
    ].map((kind) => `Drag all ${kind} into the left box, and everything else into the right box.`),
    answer: (instruction) => {
      const [, kind] = /^Drag all (.*) into the left box/.exec(instruction);
      const goesLeft = (shape) => (kind in KINDS
        ? shape.tagName === KINDS[kind] : `${shape.getAttribute("fill")} shapes` === kind);
      const [left, right] = containers();
      const wrong = movable().filter((shape) => !inside(shape, goesLeft(shape) ? left : right));
      const shape = wrong.find(seen);
      if (!shape) return wrong.length ? null : submit("Every shape is inside its box.");
      return goesLeft(shape) ? into(left, shape, "left ") : into(right, shape, "right ");
    },
  });

  // --- lists that are sorted by dragging ---

  const items = () => all("#sortable li:not(.ui-sortable-placeholder)");
  // Drags an item to the place of another; a little beyond, so that it takes the place.
  const moveTo = (from, to, beyond, thought, aside = 0) => {
    const start = spot(items()[from]), own = middle(boxOf(items()[from]));
    const target = middle(boxOf(items()[to]));
    target[0] += aside;
    return start && drag(start, [0, 1].map((k) =>
      target[k] + start[k] - own[k] + Math.sign(target[k] - own[k]) * beyond), thought);
  };
  // [index, where]: a name may have several words, and begin with another one.
  const moved = (instruction) => {
    const told = instruction.replace("Drag ", ""), begun = names().filter(
      (name) => told.startsWith(`${name} `));
    const name = begun.reduce((a, b) => (a.length >= b.length ? a : b), "");
    return [names().indexOf(name), told.slice(name.length + 1)];
  };
  const listTarget = (where, index) => {
    if (/top/.test(where)) return 0;
    if (/bottom/.test(where)) return items().length - 1;
    if (/down/.test(where)) return index + 1;
    if (/up/.test(where)) return index - 1;
    return parseInt(/\d/.exec(where)[0], 10) - 1;
  };
  const NTH = ["1st", "2nd", "3rd", "4th", "5th"];
  const names = () => items().map(text);
  define("drag-items", {
    others: () => names().flatMap((name, index) => NTH.flatMap((nth, i) =>
      (i === index ? [] : [`Drag ${name} to the ${nth} position.`]))),
    answer: (instruction) => {
      const [index, where] = moved(instruction);
      const thought = `"${names()[index]}" is the ${ordinal(index)} item.`;
      return moveTo(index, listTarget(where, index), 6, thought);
    },
  });
  const CELLS = [
    "top left", "top center", "top right", "center left", "center", "center right", "bottom left",
    "bottom center", "bottom right",
  ];
  const STEPS = { up: -3, down: 3, left: -1, right: 1 };
  define("drag-items-grid", {
    others: () => names().map((name, i) => `Drag ${name} to the ${CELLS[(i * 4 + 5) % 9]}.`)
      .filter((instruction, i) => (i * 4 + 5) % 9 !== i),
    answer: (instruction) => {
      const [index, where] = moved(instruction);
      const [, way] = /^(\w+) by one/.exec(where) || [];
      const cell = CELLS.findIndex((name_) => where === `to the ${name_}.`);
      const target = way ? index + STEPS[way] : cell;
      const thought = `"${names()[index]}" is at the ${CELLS[index]}.`;
      // What is moved to the right comes behind the item on which it is let go, also on the way up.
      const behind = target < index && target % 3 > index % 3;
      return behind ? moveTo(index, target - 1, 4, thought, 12) : moveTo(index, target, 4, thought);
    },
  });
  define("drag-sort-numbers", {
    answer: () => {
      const numbers = names().map(Number), sorted = [...numbers].sort((a, b) => a - b);
      const place_ = numbers.findIndex((number, i) => number !== sorted[i]);
      if (place_ < 0) return submit("The numbers are sorted.");
      const from = numbers.indexOf(sorted[place_], place_);
      return moveTo(from, place_, 6, `${sorted[place_]} belongs to the ${ordinal(place_)} place.`);
    },
  });

  // --- drawing and marking ---

  const LINE = 36;
  define("draw-line", {
    others: () => ["horizontal", "vertical"].map(
      (way) => `Draw a ${way} line that runs through the dot, then press submit.`),
    answer: (instruction) => {
      const along = instruction.includes("horizontal") ? 0 : 1, across = 1 - along;
      const dot = one("#circ"), centre = middle(boxOf(dot)), path = one("#area svg path");
      if (path) {
        const box = boxOf(path), sizes = [box.width, box.height];
        const edges = [[box.left, box.right], [box.top, box.bottom]];
        const through = edges.every(
          ([low, high], k) => low - 3 <= centre[k] && centre[k] <= high + 3);
        if (sizes[along] > 45 && sizes[across] < 9 && through) return submit("The line is drawn.");
      }
      // The page measures from a point a little above and to the left of the dot's middle.
      const area = origin(), low = [area.left + 4, area.top + 4][along];
      const high = [area.right - 4, area.bottom - 4][along];
      const start = [...centre], end = [...centre];
      start[across] -= 1;
      end[across] -= 1;
      start[along] = bounded(centre[along] - LINE, low, high);
      end[along] = bounded(centre[along] + LINE, low, high);
      return drag(start, end, () => `The dot is at the ${place(dot)}.`);
    },
  });

  const textBoxes = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return Array.from(range.getClientRects()).filter((box) => box.width > 1);
  };
  const bare = (words) => words.replace(/\s/g, "");
  const isMarked = (element) => bare(String(getSelection())) === bare(text(element));
  // Drags over the whole text of an element.
  const mark = (element, thought) => {
    if (bare(String(getSelection()))) {
      const [first] = textBoxes(element);
      return clickAt([first.left - 4, middle(first)[1]], "Another text is marked.");
    }
    const boxes = textBoxes(element), first = boxes[0], last = boxes[boxes.length - 1];
    return drag([first.left - 1, middle(first)[1]], [last.right + 2, middle(last)[1]], thought);
  };
  define("highlight-text", {
    answer: () => {
      const paragraph = one("#randomText");
      return isMarked(paragraph) ? submit("The text is marked.")
        : mark(paragraph, "Nothing is marked.");
    },
  });
  define("highlight-text-2", {
    others: () => ["1st", "2nd", "3rd"].map(
      (nth) => `Highlight the text in the ${nth} paragraph and click submit.`),
    answer: (instruction) => {
      const [, nth] = /the (\d)/.exec(instruction), paragraph = all("#randomText p")[nth - 1];
      if (isMarked(paragraph)) return submit("The text is marked.");
      return mark(paragraph, `Paragraph ${nth} is at the ${place(paragraph)}.`);
    },
  });

  define("resize-textarea", {
    others: () => ["width", "height"].flatMap((side) => ["smaller", "larger"].map((size) =>
      `Resize the textarea so that the ${side} is ${size} than its initial size then press ` +
      "Submit.")),
    answer: (instruction) => {
      const [, side, size] = /the (\w+) is (\w+) than/.exec(instruction);
      const sizes = { width: $("#tt").width(), height: $("#tt").height() };
      const first = remembered("size", () => sizes), sign = size === "larger" ? 1 : -1;
      if ((sizes[side] - first[side]) * sign > 4) return submit(`The ${side} is ${size} now.`);
      const start = spot(one(".ui-resizable-se"));
      const step = side === "width" ? [20 * sign, 0] : [0, 20 * sign];
      return start && drag(start, [0, 1].map((k) => start[k] + step[k]),
        () => `The corner is at the ${place(one(".ui-resizable-se"))}.`);
    },
  });
})();
