// What the experts for MiniWoB++ are made of. They read the page's structure, which the agent never
// sees, and answer from the page as it is now. `eyehandQuestions(task, actions, more)` returns
// [[instruction, call], ...]: the page's own task first, then, with `more`, others that the same
// screen answers.
// A call is {name, thought, ...arguments}; points are [x, y] in CSS pixels. An empty list means
// that nothing can be done.
//
// An expert is {answer, others}: `answer(instruction)` returns a call or null, `others()` further
// instructions for the screen. Inside, a step that is over returns undefined.
(() => {
  const WIDTH = 168, HEIGHT = 210, HEADER = 50;
  const SCROLL_TENTH = HEIGHT / 10;

  const all = (selector, inside = document) => Array.from(inside.querySelectorAll(selector));
  const one = (selector, inside = document) => inside.querySelector(selector);
  const plain = (words) => words.replace(/\s+/g, " ").trim();
  const text = (element) => plain(element.textContent);
  const said = () => {
    const utterance = core.getUtterance();
    return plain(typeof utterance === "string" ? utterance : utterance.utterance);
  };
  const quoted = (instruction) => Array.from(instruction.matchAll(/"([^"]*)"/g), (m) => m[1]);

  // --- where things are ---

  const hits = (element, x, y) => {
    const hit = document.elementFromPoint(x, y);
    return Boolean(hit) && (element === hit || element.contains(hit));
  };

  const largest = (element) =>
    Array.from(element.getClientRects()).reduce(
      (a, b) => (a && a.width * a.height >= b.width * b.height ? a : b), null);

  // The visible point of an element that lies nearest to the middle of its visible part.
  const spot = (element) => {
    const box = largest(element);
    if (!box) return null;
    const left = Math.max(box.left, 0), top = Math.max(box.top, 0);
    const width = Math.min(box.right, WIDTH) - left, height = Math.min(box.bottom, HEIGHT) - top;
    const seen = [];
    for (let i = 1; i < 12 && width > 0 && height > 0; i++) {
      for (let j = 1; j < 8; j++) {
        const x = left + (width * i) / 12, y = top + (height * j) / 8;
        if (hits(element, x, y)) seen.push([x, y]);
      }
    }
    if (!seen.length) return null;
    const mean = [0, 1].map((k) => seen.reduce((sum, p) => sum + p[k], 0) / seen.length);
    const distance = (p) => (p[0] - mean[0]) ** 2 + (p[1] - mean[1]) ** 2;
    const nearest = seen.reduce((a, b) => (distance(a) <= distance(b) ? a : b));
    return nearest.map((value, k) => (Math.abs(value - mean[k]) < 2 ? mean[k] : value));
  };

  const seen = (element) => Boolean(element) && spot(element) !== null;
  const middle = (box) => [(box.left + box.right) / 2, (box.top + box.bottom) / 2];

  // "top left" to "bottom right", of the screen without the instruction's bar.
  const place = (element) => {
    const [x, y] = spot(element) || middle(element.getBoundingClientRect());
    const row = ["top", "middle", "bottom"][y < 103 ? 0 : y < 157 ? 1 : 2];
    return `${row} ${["left", "centre", "right"][x < 53 ? 0 : x < 107 ? 1 : 2]}`;
  };

  const ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    "tenth", "eleventh", "twelfth",
  ];
  const ordinal = (index) => ORDINALS[index] || `${index + 1}th`;

  // "third" for an element that begins in the third line of text of a block.
  const line = (element, block) => {
    const range = document.createRange();
    range.selectNodeContents(block);
    const middles = [];
    for (const box of range.getClientRects()) {
      const y = (box.top + box.bottom) / 2;
      if (box.width && !middles.some((known) => Math.abs(known - y) < 4)) middles.push(y);
    }
    const box = element.getClientRects()[0];
    return ordinal(middles.filter((y) => y < (box.top + box.bottom) / 2 - 3).length);
  };

  // --- calls ---

  let permitted = new Set();
  const may = (name) => permitted.has(name);

  // A thought may be a function, which is called only where the call is made.
  const call = (name, thought, rest) =>
    ({ name, thought: typeof thought === "function" ? thought() : thought, ...rest });

  const clickAt = (point, thought) => call("click", thought, { point });
  const click = (element, thought) => {
    const point = element && spot(element);
    return point ? clickAt(point, thought) : null;
  };
  const hover = (element, thought) => {
    const point = element && spot(element);
    return point ? call("hover", thought, { point }) : null;
  };
  const drag = (start, end, thought) => call("drag", thought, { start, end });
  const type = (words, thought) => call("type_text", thought, { text: words });
  const keys = (names, thought) =>
    may("press_keys") ? call("press_keys", thought, { keys: names }) : null;
  const select = (element, option, thought) => {
    const point = spot(element);
    return point && may("select_option") ? call("select_option", thought, { point, option }) : null;
  };

  const scrollers = (element) => {
    const found = [];
    for (let e = element.parentElement; e && e !== document.body; e = e.parentElement) {
      const rolls = /auto|scroll/.test(getComputedStyle(e).overflowY);
      if (rolls && e.scrollHeight > e.clientHeight + 1) found.push(e);
    }
    return found;
  };

  // The visible part of an area that scrolls; the page itself is null.
  const frame = (area) => {
    const page = { top: 0, bottom: HEIGHT, left: 0, right: WIDTH };
    const box = area ? area.getBoundingClientRect() : page;
    return {
      top: Math.max(box.top, 0), bottom: Math.min(box.bottom, HEIGHT),
      left: Math.max(box.left, 0), right: Math.min(box.right, WIDTH),
    };
  };

  const FAR = 20;

  // Scrolls an area by two thirds of what it shows, so that nothing is passed by, or FAR.
  const roll = (area, direction, thought, tenths = 0) => {
    const scrolled = area || document.scrollingElement;
    const room = direction === "down"
      ? scrolled.scrollHeight - scrolled.clientHeight - scrolled.scrollTop
      : scrolled.scrollTop;
    if (room < 1 || !may("scroll")) return null;
    const box = frame(area);
    const step = Math.floor(((box.bottom - box.top) * 2) / 3 / SCROLL_TENTH);
    const amount = tenths || Math.max(1, step);
    return call("scroll", thought, { direction, amount, point: middle(box) });
  };

  // Scrolls towards an element that is out of view.
  const reveal = (element, thought) => {
    const box = element.getBoundingClientRect();
    if (!box.width && !box.height) return null;
    const y = (box.top + box.bottom) / 2;
    for (const area of [...scrollers(element), null]) {
      const { top, bottom } = frame(area);
      const direction = y >= bottom - 4 ? "down" : y <= top + 4 ? "up" : "";
      const words = thought || `It is further ${direction}.`;
      const rolled = direction && roll(area, direction, words);
      if (rolled) return rolled;
    }
    return null;
  };

  const press = (element, thought) =>
    element ? click(element, thought) || reveal(element) : null;

  // The first of several equal elements that can be clicked.
  const pressOne = (elements, thought) => {
    const shown = elements.find(seen) || elements[0];
    return shown ? press(shown, () => thought(shown)) : null;
  };

  // Goes to the first step that is not over.
  const inTurn = (...steps) => {
    for (const step of steps) {
      const next = step();
      if (next !== undefined) return next;
    }
    return null;
  };

  // --- typing ---

  const atEnd = (field) =>
    field.selectionEnd === null ||
    (field.selectionStart === field.value.length && field.selectionEnd === field.value.length);
  const whole = (field) =>
    field.value !== "" && field.selectionStart === 0 && field.selectionEnd === field.value.length;

  const mended = (field, wanted, name) => {
    if (whole(field)) return type(wanted, `The text of ${name} is selected.`);
    const thought = `${name[0].toUpperCase()}${name.slice(1)} holds "${field.value}".`;
    // A number field does not tell what is selected in it.
    const short = field.selectionEnd === null || (field.value.length === 1 && atEnd(field));
    return keys(short ? ["Backspace"] : ["Control", "a"], thought);
  };

  // Brings a text into a field; undefined once it is there, null where no action can.
  const fill = (field, wanted, name = "the text field") => {
    if (field.value === wanted) return undefined;
    const begun = wanted.startsWith(field.value);
    if (!begun && !may("press_keys")) return null;
    const subject = name[0].toUpperCase() + name.slice(1);
    if (field.validity.badInput) return keys(["Backspace"], `${subject} holds no number.`);
    if (document.activeElement !== field) {
      // Beside the arrows that a number field has at its right end.
      const box = field.getBoundingClientRect();
      if (field.type === "number" && seen(field)) {
        return clickAt([Math.max(box.right - 20, box.left + 4), middle(box)[1]],
          `${subject} ${field.value ? `holds "${field.value}"` : "is empty"}.`);
      }
      return press(field, `${subject} ${field.value ? `holds "${field.value}"` : "is empty"}.`);
    }
    if (!begun) return mended(field, wanted, name);
    if (!field.value) return type(wanted, `${subject} is empty and has the focus.`);
    if (atEnd(field)) {
      return type(wanted.slice(field.value.length), `${subject} holds "${field.value}" so far.`);
    }
    const box = field.getBoundingClientRect();
    return clickAt([box.right - 4, middle(box)[1]], `${subject} holds "${field.value}" so far.`);
  };

  // --- memory: what an episode has shown so far ---

  let memory = {};
  const startReal = core.startEpisodeReal;
  core.startEpisodeReal = function (...a) { memory = {}; return startReal.apply(this, a); };
  const remembered = (key, initial) => (key in memory ? memory[key] : (memory[key] = initial()));

  // --- the experts ---

  const experts = {};
  const define = (tasks, expert) => {
    for (const task of [tasks].flat()) experts[task] = expert;
  };

  window.eyehandQuestions = (task, actions, more) => {
    permitted = new Set(actions);
    const { answer, others } = experts[task];
    const found = new Map();
    for (const instruction of [said(), ...(more && others ? others() : [])]) {
      const next = found.has(instruction) ? null : answer(instruction);
      if (next) found.set(instruction, next);
    }
    return Array.from(found);
  };
  window.eyehandExperts = {
    define, all, one, text, said, quoted, spot, seen, middle, place, ordinal, line, may, click,
    clickAt, hover, drag, type, keys, select, roll, reveal, press, pressOne, inTurn, fill,
    remembered, HEADER, FAR, WIDTH, HEIGHT,
  };
})();
