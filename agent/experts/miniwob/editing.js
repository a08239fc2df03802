// Tasks of editing: the clipboard, suggestions while typing, a terminal, a text editor.
(() => {
  const {
    define, all, one, text, quoted, seen, middle, click, drag, type, keys, press, fill, remembered,
  } = window.eyehandExperts;

  const submit = (thought) => press(one("#subbtn"), thought);
  const focused = (field) => document.activeElement === field;

  // --- copying through the clipboard ---

  document.addEventListener("copy", () => {
    const field = document.activeElement;
    const chosen = field && "selectionStart" in field
      ? field.value.slice(field.selectionStart, field.selectionEnd) : String(getSelection());
    remembered("copied", () => ({})).text = chosen;
  });
  const allChosen = (field) =>
    field.value && field.selectionStart === 0 && field.selectionEnd === field.value.length;
  const copied = (source, name) => {
    if (!focused(source)) return press(source, `${name} is to be copied.`);
    if (!allChosen(source)) return keys(["Control", "a"], `${name} has the focus.`);
    return keys(["Control", "c"], `${name} is selected.`);
  };
  const pasted = (field) => {
    if (!focused(field)) return press(field, "The text is copied.");
    if (field.value && !allChosen(field)) {
      return keys(["Control", "a"], "The text field holds another text.");
    }
    return keys(["Control", "v"], "The text field has the focus.");
  };
  define(["copy-paste", "copy-paste-2"], {
    answer: (instruction) => {
      const nth = /the (\d)\w\w text area/.exec(instruction);
      const source = all("#area textarea")[nth ? nth[1] - 1 : 0], field = one("#answer-input");
      if (field.value === source.value) return submit("The text field holds the copy.");
      const name = nth ? `Text area ${nth[1]}` : "The text area";
      const held = remembered("copied", () => ({})).text;
      return held === source.value ? pasted(field) : copied(source, name);
    },
  });

  // --- suggestions while typing ---

  const menu = () => all(".ui-autocomplete").find((list) => list.offsetHeight > 0);
  const suggestions = () => (menu() ? all(".ui-menu-item", menu()) : []);
  const suggested = (field, begun, fits) => {
    if (!menu()) return keys(["ArrowDown"], "The suggestions are not shown.");
    const item = suggestions().find((i) => fits(text(i)));
    if (!item) return null;
    return click(item, () => `"${text(item)}" is suggested.`) ||
      keys(["ArrowDown"], "What is wanted is further down.");
  };
  define(["use-autocomplete", "use-autocomplete-nodelay"], {
    answer: (instruction) => {
      const [start, end = ""] = quoted(instruction), field = one("#tags");
      const fits = (name) => name.startsWith(start) && name.endsWith(end);
      const known = ui_utils.COUNTRIES.includes(field.value) && fits(field.value);
      if (known && !menu()) return submit(`The text field holds "${field.value}".`);
      if (known) return keys([one(".ui-state-active", menu()) ? "Enter" : "Escape"],
        `The text field holds "${field.value}".`);
      const browsing = menu() && one(".ui-state-active", menu());
      if (field.value === start || browsing) return suggested(field, start, fits);
      return fill(field, start);
    },
  });

  // --- a terminal ---

  // The page looks for the first place of an extension in a name, and wants it at the end.
  const ends = (file, letters) => file.indexOf(letters) + letters.length === file.length;
  const removable = (extension) => currentFiles.find((file) =>
    extension ? file.endsWith(extension) && ends(file, extension.slice(1)) : !file.includes("."));
  define("terminal", {
    answer: (instruction) => {
      const [, extension] = /extension (\.\S+)$/.exec(instruction) || [];
      const listed = all(".terminal-output").some((o) => text(o) === currentFiles.join(" "));
      const command = listed ? `rm ${removable(extension)}` : "ls";
      const typed = one("#active-input").textContent.replace(/\u00a0/g, " ");
      if (!focused(one("#terminal-target"))) {
        return press(one("#terminal"), "The terminal is ready.");
      }
      if (typed === command) return keys(["Enter"], `The command is "${command}".`);
      if (!command.startsWith(typed)) {
        return keys(["Backspace"], `The command "${typed}" is wrong.`);
      }
      const thought = listed ? `The file ${removable(extension)} is to be deleted.`
        : "The files are not listed.";
      return type(command.slice(typed.length), thought);
    },
  });

  // --- a text editor: mark, then give the style ---

  const STYLES = { bold: "bold", italics: "italic", underlined: "underline" };
  const charBox = (index, length) => {
    const walker = document.createTreeWalker(one(".ql-editor"), NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    let before = 0, begun = false;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const end = before + node.length;
      if (!begun && index < end) { range.setStart(node, index - before); begun = true; }
      if (begun && index + length <= end) { range.setEnd(node, index + length - before); break; }
      before = end;
    }
    return Array.from(range.getClientRects()).filter((box) => box.width > 1);
  };
  const given = (from, length) => {
    const marked = editor.getSelection();
    return marked && marked.index <= from && marked.index + marked.length >= from + length &&
      marked.length <= length + 1;
  };
  define("text-editor", {
    answer: (instruction) => {
      const [, word] = /give the text (\S+) the/.exec(instruction) || [];
      const [, style] = /(bold|italics|underlined) and press/.exec(instruction) || [];
      const [, color] = /color (\w+)/.exec(instruction) || [];
      const content = editor.getText().replace(/\n$/, "");
      const key = style ? STYLES[style] : "color";
      const starts = word ? content.split(" ").reduce(([at, found], w) =>
        [at + w.length + 1, w === word ? [...found, at] : found], [0, []])[1] : [0];
      const length = word ? word.length : content.length;
      const right = (formats) =>
        style ? formats[key] === true : COLOR_MAP[color].includes(formats[key]);
      const styled = starts.find((from) => right(editor.getFormat(from, length)));
      if (styled !== undefined) return submit(`The text is ${style || color}.`);
      // An open list of colors covers the text and has the focus: the editor remembers the marked text.
      const choice = color && one(`.ql-picker-item[data-value="${COLOR_MAP[color][0]}"]`);
      if (choice && seen(choice)) return click(choice, "The colors are shown.");
      const ready = starts.find((from) => given(from, length));
      const name = word ? `"${word}"` : "The whole text";
      if (ready === undefined) {
        const boxes = charBox(starts[0], length), first = boxes[0], last = boxes[boxes.length - 1];
        const beyond = word ? 0 : 3;
        return drag([first.left + 0.5, middle(first)[1]], [last.right + beyond, middle(last)[1]],
          `${name} is not marked.`);
      }
      if (style) return press(one(`.ql-toolbar .ql-${key}`), `${name} is marked.`);
      return press(one(".ql-color .ql-picker-label"), `${name} is marked.`);
    },
  });
})();
