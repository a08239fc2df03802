// Tasks of drawn shapes, and small puzzles that are solved by clicks.
(() => {
  const {
    define, all, one, spot, click, press, place, ordinal, inTurn, clickAt, remembered, HEADER,
  } = window.eyehandExperts;

  // Canvas drawings leave no elements: count the sides of the last outline while it is drawn.
  let sides = 0;
  const context = CanvasRenderingContext2D.prototype;
  const { beginPath, lineTo } = context;
  context.beginPath = function (...a) { sides = 0; return beginPath.apply(this, a); };
  context.lineTo = function (...a) { sides += 1; return lineTo.apply(this, a); };

  const KINDS = { rect: "rectangle", circle: "circle", polygon: "triangle" };
  const shapeOf = (element) => {
    const content = element.textContent.trim();
    const box = element.getBBox();
    const extent = content ? parseFloat(element.getAttribute("font-size")) : box.width;
    return {
      size: extent > 0.75 * shapes.MAX_SIZE ? "large" : "small",
      color: element.getAttribute("fill"),
      text: content || KINDS[element.tagName],
      type: content ? (/\d/.test(content) ? "digit" : "letter") : "shape",
    };
  };
  const elements = () => Array.from(one("#area_svg").children);

  const describe = (shape) => {
    const flip = () => Math.random() < 0.5;
    const parts = [flip() ? shape.size : "", flip() ? shape.color : ""];
    const bare = parts.every((part) => !part);
    parts.push(flip() || bare ? (flip() ? shape.text : shape.type) : "item");
    return parts.filter((part) => part).join(" ");
  };

  // The parts of a description such as "large red triangle", each "" where it is not given.
  const parsed = (description) => {
    const words = description.split(" ");
    const size = ["large", "small"].find((w) => words.includes(w)) || "";
    const color = shapes.COLORS.find((w) => words.includes(w)) || "";
    return [size, color, words[words.length - 1]];
  };
  const matches = (shape, [size, color, what]) =>
    (!size || size === shape.size) &&
    (!color || color === shape.color) &&
    (what === "item" || what === shape.text || what === shape.type);

  define("click-shape", {
    others: () => elements().map((e) => `Click on a ${describe(shapeOf(e))}`),
    answer: (instruction) => {
      const wanted = parsed(instruction.replace("Click on a ", ""));
      const found = elements().find((e) => matches(shapeOf(e), wanted) && spot(e));
      if (!found) return null;
      const { size, color, text } = shapeOf(found);
      return click(found, `The ${size} ${color} ${text} is at the ${place(found)}.`);
    },
  });
  define("count-shape", {
    others: () => elements().map((e) => `How many ${describe(shapeOf(e))}s are there?`),
    answer: (instruction) => {
      const [, description] = /^How many (.*)s are there\?$/.exec(instruction);
      const wanted = parsed(description);
      const count = elements().filter((e) => matches(shapeOf(e), wanted)).length;
      const button = all("#count-buttons button").find((b) => b.textContent === String(count));
      return click(button, `There are ${count}.`);
    },
  });
  define("identify-shape", {
    answer: () => {
      const { type, text } = shapeOf(one("#area_svg").lastElementChild);
      const kind = type === "shape" ? text : type;
      return click(one(`#area-buttons button[data-type="${kind}"]`), `The shape is a ${kind}.`);
    },
  });
  define("count-sides", {
    answer: () =>
      click(one(`#form button[data-sides="${sides}"]`), `The shape has ${sides} sides.`),
  });

  define("click-shades", {
    others: () => ["red", "green", "blue"].map(
      (color) => `Select all the shades of ${color} and press Submit.`),
    answer: (instruction) => {
      const [, color] = /shades of (\w+)/.exec(instruction);
      const isWrong = (box) =>
        (box.className === "selected") !== (box.getAttribute("data-color") === color);
      const wrong = all("#area span").find(isWrong);
      if (!wrong) return press(one("#submit"), `Every shade of ${color} is selected.`);
      const state = wrong.className === "selected" ? "selected but not" : "not selected but";
      return press(wrong, `The box at the ${place(wrong)} is ${state} ${color}.`);
    },
  });

  define("number-checkboxes", {
    answer: (instruction) => {
      const [, digit] = /number "(\d)"/.exec(instruction);
      const boxes = all("#checkboxes input"), wanted = PATTERNS[digit].flat();
      const wrong = boxes.findIndex((box, i) => box.checked !== Boolean(wanted[i]));
      if (wrong < 0) return press(one("#subbtn"), `The boxes show the number ${digit}.`);
      const name = `box ${(wrong % 4) + 1} of the ${ordinal(Math.floor(wrong / 4))} row`;
      const state = wanted[wrong] ? "is missing" : "is too many";
      return press(boxes[wrong], `${name[0].toUpperCase()}${name.slice(1)} ${state}.`);
    },
  });

  define("ascending-numbers", {
    answer: () => {
      const first = all("#area_svg text").find((number) => number.textContent === "1");
      const next = first || one("#area_svg rect");
      const number = first ? 1 : next && next.getAttribute("data-index");
      return click(next, next && `Number ${number} is next, at the ${place(next)}.`);
    },
  });

  // --- hot and cold: the places that what was felt so far leaves open ---

  const NEAR = [["hot", 0, 5], ["warm", 5, 10], ["cold", 10, 40], ["ice-cold", 40, 1e9]];
  const TRIED = 400;
  document.addEventListener("mousemove", (event) => {
    const area = one("#touch-area");
    if (!area || !area.contains(event.target)) return;
    remembered("pointer", () => []).push([event.pageX, event.pageY - HEADER]);
  });
  const felt = () => {
    const signals = remembered("felt", () => []), signal = one("#signal");
    const point = remembered("pointer", () => []).slice(-1)[0];
    if (signal && point && !signals.some(([x, y]) => x === point[0] && y === point[1])) {
      signals.push([...point, signal.className]);
    }
    return signals;
  };
  const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const band = (distance) =>
    NEAR.findIndex(([, least, most]) => distance >= least && distance < most);
  const grid = (step) => {
    const points = [];
    for (let x = 5; x < 155; x += step) for (let y = 5; y < 120; y += step) points.push([x, y]);
    return points;
  };
  const some = (places) => places.filter((_, i) => i % Math.ceil(places.length / TRIED) === 0);
  // The point whose answer tells most: its four answers are as equally likely as can be.
  const telling = (places) => {
    const sample = some(places);
    const entropy = (point) => {
      const counts = [0, 0, 0, 0];
      for (const spotted of sample) counts[band(apart(point, spotted))] += 1;
      return counts.reduce((sum, n) => sum - (n ? n * Math.log(n / sample.length) : 0), 0);
    };
    return grid(6).concat(sample).reduce(
      (best, point) => { const e = entropy(point); return e > best[0] ? [e, point] : best; },
      [-1, sample[0]])[1];
  };
  define("hot-cold", {
    answer: () => {
      const signals = felt(), last = signals[signals.length - 1];
      if (last && last[2] === "hot") return clickAt([last[0], last[1] + HEADER], "It is HOT here.");
      const places = grid(1).filter((spotted) =>
        signals.every(([x, y, name]) => NEAR[band(apart([x, y], spotted))][0] === name));
      if (!places.length) return null;
      const mean = [0, 1].map((k) => places.reduce((sum, p) => sum + p[k], 0) / places.length);
      const close = places.every((spotted) => apart(mean, spotted) < 4);
      const [x, y] = close ? mean.map(Math.round) : telling(places);
      const thought = last ? `It is ${one("#signal").textContent} here.` : "Nothing is felt yet.";
      return { name: "hover", point: [x + 0.5, y + HEADER + 0.5], thought };
    },
  });

  // --- tic-tac-toe: the best chance against an opponent who errs in 55 of 100 moves ---

  const LINES = [
    [0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6],
  ];
  const SQUARES = [
    "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom",
    "bottom right",
  ];
  const free = (board) => board.flatMap((mark, i) => (mark ? [] : [i]));
  const put = (board, square, mark) => board.map((old, i) => (i === square ? mark : old));
  const wins = (board, mark) => LINES.some((row) => row.every((i) => board[i] === mark));
  const winning = (board, mark) => free(board).filter((i) => wins(put(board, i, mark), mark));
  const known = new Map();
  const chance = (board) => {
    const key = board.join();
    if (!known.has(key)) known.set(key, Math.max(0, ...free(board).map((i) => after(board, i))));
    return known.get(key);
  };
  const after = (board, square) => {
    const moved = put(board, square, 1);
    if (wins(moved, 1)) return 1;
    const left = free(moved);
    if (!left.length) return 0;
    const reply = (i) => { const b = put(moved, i, -1); return wins(b, -1) ? 0 : chance(b); };
    const mean = (squares) => squares.reduce((sum, i) => sum + reply(i), 0) / squares.length;
    const forced = [winning(moved, -1), winning(moved, 1)].find((squares) => squares.length);
    return 0.55 * mean(left) + 0.45 * mean(forced || left);
  };
  define("tic-tac-toe", {
    answer: () => {
      const board = all("#area .ttt-row span").map((square) =>
        square.classList.contains("mark-x") ? 1 : square.classList.contains("mark-o") ? -1 : 0);
      const best = free(board).reduce(
        (a, b) => (a === null || after(board, b) > after(board, a) ? b : a), null);
      if (best === null) return null;
      const name = `the ${SQUARES[best]} square`;
      const thought = winning(board, 1).includes(best) ? `X wins with ${name}.`
        : winning(board, -1).includes(best) ? `O would win with ${name}.`
        : `${name[0].toUpperCase()}${name.slice(1)} is free.`;
      return click(one(`#ttt-${best}`), thought);
    },
  });

  // --- numbers and cards ---

  define("odd-or-even", {
    answer: () => inTurn(
      () => {
        for (const row of all("#numbers .row")) {
          const number = parseInt(one(".display-number", row).textContent, 10);
          const kind = number % 2 ? "odd" : "even";
          const [marked] = all(".selected", row);
          if (!marked || !marked.classList.contains(kind)) {
            return press(one(`.${kind}`, row), `${number} is ${kind}.`);
          }
        }
        return undefined;
      },
      () => press(one("#submit"), "Every number is marked.")),
  });

  define("generate-number", {
    answer: (instruction) => {
      const shown = one("#display-number").textContent;
      const number = parseInt(shown, 10), bound = parseInt((/\d+/.exec(instruction) || [])[0], 10);
      const fits = /less/.test(instruction) ? number < bound
        : /greater/.test(instruction) ? number > bound
        : /odd/.test(instruction) ? number % 2 === 1 : number % 2 === 0;
      if (fits) return press(one("#submit"), `${number} is right.`);
      const thought = Number.isNaN(number) ? "There is no number yet." : `${number} is wrong.`;
      return press(one("#generate"), thought);
    },
  });

  define("find-greatest", {
    answer: () => {
      const cards = all("#cardholder .card"), values = remembered("cards", () => ({}));
      const open_ = cards.findIndex((card) => !card.classList.contains("hidden"));
      if (open_ >= 0) values[open_] = parseInt(cards[open_].textContent, 10);
      const unseen = cards.findIndex((_, i) => !(i in values));
      const numbers = Object.values(values), shown = numbers.join(" and ");
      if (unseen >= 0) {
        const thought = numbers.length ? `The cards so far show ${shown}.` : "No card is open.";
        return click(cards[unseen], thought);
      }
      const best = cards.findIndex((_, i) => values[i] === Math.max(...numbers));
      const thought = `${values[best]} is the greatest number of ${shown}.`;
      return open_ === best ? press(one("#submit"), thought) : click(cards[best], thought);
    },
  });
})();
