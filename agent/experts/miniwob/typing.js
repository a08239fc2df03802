// Tasks of typing: what the instruction gives, what the page shows, what has to be worked out.
(() => {
  const {
    define, all, one, text, quoted, press, select, roll, inTurn, fill, remembered, FAR,
  } = window.eyehandExperts;

  const button = () => one("#subbtn") || one("#submit");
  const FILLED = "Everything is filled in.";
  const submit = (thought = FILLED) => () => press(button(), thought);

  // Types one text into one field and submits; `why` is thought where the text is not given.
  const entered = (field, wanted, why) => {
    const call = fill(field, wanted);
    if (call && why && call.name === "type_text") call.thought = why;
    return call === undefined ? press(button(), `The text field holds "${wanted}".`) : call;
  };
  const focused = (field) => document.activeElement === field;

  const NAMES = () => ui_utils.FIFTY_NAMES.filter((_, i) => i % 9 === 0);
  define(["enter-text", "enter-text-dynamic"], {
    others: () => (focused(one("#tt"))
      ? NAMES().map((name) => `Enter "${name}" into the text field and press Submit.`) : []),
    answer: (instruction) => entered(one("#tt"), quoted(instruction)[0]),
  });
  define("enter-text-2", {
    others: () => (focused(one("#tt")) ? NAMES().flatMap((name) => [
      `Type "${name.toLowerCase()}" in all upper case letters in the text input and press Submit.`,
      `Type "${name.toUpperCase()}" in all lower case letters in the text input and press Submit.`,
    ]) : []),
    answer: (instruction) => {
      const [word] = quoted(instruction), upper = instruction.includes("all upper case");
      const wanted = upper ? word.toUpperCase() : word.toLowerCase();
      const thought = `"${word}" in ${upper ? "upper" : "lower"} case is wanted.`;
      return entered(one("#tt"), wanted, thought);
    },
  });
  define("enter-password", {
    answer: (instruction) => {
      const [password] = quoted(instruction);
      return inTurn(
        () => fill(one("#password"), password, 'the field "Password"'),
        () => fill(one("#verify"), password, 'the field "Verify password"'),
        submit());
    },
  });
  define(["login-user", "login-user-popup"], {
    answer: (instruction) => {
      const [user, password] = quoted(instruction);
      if (one("#popup")) return press(one("#popup-cancel"), "A popup asks to exit.");
      return inTurn(
        () => fill(one("#username"), user, 'the field "Username"'),
        () => fill(one("#password"), password, 'the field "Password"'),
        submit());
    },
  });
  define("form-sequence-2", {
    answer: (instruction) => {
      const [, radio, box] = /the (\d)\w\w radio.*the (\d)\w\w textbox/.exec(instruction);
      const [number] = quoted(instruction), choice = all("#area input[type=radio]")[radio - 1];
      const fields = [1, 2, 3].map((i) => one(`#input-${i}`));
      if (fields.some((field, i) => field.value && i + 1 !== Number(box))) return null;
      return inTurn(
        () => (choice.checked ? undefined : press(choice, `Radio button ${radio} is not checked.`)),
        () => fill(fields[box - 1], number, `textbox ${box}`),
        submit());
    },
  });

  // --- native date and time fields: the value that they take, in one action ---

  define("enter-date", {
    answer: (instruction) => {
      const [, month, day, year] = /(\d+)\/(\d+)\/(\d+)/.exec(instruction);
      const field = one("#tt"), wanted = `${year}-${month}-${day}`;
      if (field.value === wanted) return press(button(), `The date is ${month}/${day}/${year}.`);
      return select(field, wanted, "The date field shows another date.");
    },
  });
  define("enter-time", {
    answer: (instruction) => {
      const [, hour, minute, half] = /(\d+):(\d+)\s*([AP]M)/.exec(instruction);
      const hours = (Number(hour) % 12) + (half === "PM" ? 12 : 0);
      const field = one("#tt"), wanted = `${String(hours).padStart(2, "0")}:${minute}`;
      if (field.value === wanted) return press(button(), `The time is ${hour}:${minute} ${half}.`);
      return select(field, wanted, "The time field shows another time.");
    },
  });

  // --- what the page shows ---

  const rows = () => new Map(all("#tab tr").map((row) => {
    const [key, value] = all("td", row);
    return [text(key), value.textContent];
  }));
  define("read-table", {
    others: () => (focused(one("#tt")) ? Array.from(rows().keys()).map(
      (key) => `Enter the value of ${key} into the text field and press Submit.`) : []),
    answer: (instruction) => {
      const [, key] = /^Enter the value of (.*) into the text field/.exec(instruction);
      const value = rows().get(key);
      return entered(one("#tt"), value, `The table says ${key}: ${value}.`);
    },
  });
  define("read-table-2", {
    answer: () => inTurn(
      ...[1, 2].map((i) => () => {
        const label = text(one(`#ll${i}`)), value = rows().get(label.replace(/:$/, ""));
        const call = fill(one(`#tt${i}`), value, `the field "${label}"`);
        if (call && call.name === "type_text") call.thought = `The table says ${label} ${value}.`;
        return call;
      }),
      submit()),
  });
  const letters = (word) => word.replace(/[^a-zA-Z0-9]/g, "");
  define("find-word", {
    others: () => (focused(one("#answer-input"))
      ? text(one("#area p")).split(" ").map((_, i) => {
        const nth = ["1st", "2nd", "3rd"][i] || `${i + 1}th`;
        return `Find the ${nth} word in the paragraph, type that into the textbox and press ` +
          '"Submit".';
      }) : []),
    answer: (instruction) => {
      const [, number] = /the (\d+)\w\w word/.exec(instruction);
      const word = letters(text(one("#area p")).split(" ")[number - 1]);
      return entered(one("#answer-input"), word, `Word ${number} is "${word}".`);
    },
  });
  define("text-transform", {
    answer: () => {
      const shown = all("#captcha span").map((letter) => letter.textContent).join("");
      return entered(one("#tt"), shown, `The letters are "${shown}".`);
    },
  });
  const unscrolled = (area) => area.scrollHeight - area.clientHeight - area.scrollTop > 1;
  define("scroll-text", {
    answer: () => {
      const area = one("#text-area"), field = one("#answer-input");
      const word = letters(area.value.trim().split(/\s+/).pop());
      if (field.value !== word && unscrolled(area)) {
        return roll(area, "down", "The end of the text is further down.", FAR);
      }
      return entered(field, word, `The last word is "${word}".`);
    },
  });
  define("scroll-text-2", {
    answer: (instruction) => {
      const area = one("#text-area"), down = instruction.includes("bottom");
      const arrived = down ? !unscrolled(area) : area.scrollTop === 0;
      if (arrived) return press(button(), `The ${down ? "bottom" : "top"} of the text is in view.`);
      return roll(area, down ? "down" : "up",
        `The ${down ? "bottom" : "top"} of the text is further ${down ? "down" : "up"}.`, FAR);
    },
  });
  define("sign-agreement", {
    answer: (instruction) => {
      const [name, label] = quoted(instruction);
      if (!label) return press(one("#cancel"), "The Cancel button is wanted.");
      if (one("#name").disabled) {
        return roll(one("#text-area"), "down", "The end of the agreement is further down.", FAR);
      }
      return inTurn(
        () => fill(one("#name"), name, 'the field "Name"'),
        () => press(one(`#${label.toLowerCase()}`), `The name "${name}" is filled in.`));
    },
  });

  // --- what has to be worked out ---

  const sum = (problem) => {
    const [, a, sign, b] = /(\d+) ([-+x]) (\d+)/.exec(problem);
    return sign === "+" ? +a + +b : sign === "-" ? a - b : a * b;
  };
  define("simple-arithmetic", {
    answer: () => {
      const problem = text(one("#math-problem")), result = String(sum(problem));
      return entered(one("#math-answer"), result, `${problem} ${result}.`);
    },
  });
  define("simple-algebra", {
    answer: () => {
      const problem = text(one("#math-problem"));
      const [left, result] = problem.split(" = "), [a, sign, b] = left.split(" ");
      const x = sign === "+" ? result - (a === "x" ? b : a) : a === "x" ? +result + +b : a - result;
      return entered(one("#math-answer"), String(x), `${problem}, so x is ${x}.`);
    },
  });
  define("visual-addition", {
    answer: () => {
      const [a, b] = ["#visual-1", "#visual-2"].map((id) => all(".addition-block", one(id)).length);
      return entered(one("#math-answer"), String(a + b), `${a} and ${b} blocks are ${a + b}.`);
    },
  });
  define("guess-number", {
    answer: () => {
      const range = remembered("range", () => [0, 9]);
      const told = (id) => (one(id).classList.contains("hide") ? NaN : +text(one(`${id} span`)));
      if (told("#lower") <= range[1]) range[1] = told("#lower") - 1;
      if (told("#higher") >= range[0]) range[0] = told("#higher") + 1;
      const [least, most] = range, guess = String(Math.floor((least + most) / 2));
      return entered(one("#tt"), guess, `The number is from ${least} to ${most}.`);
    },
  });

  // --- forms whose labels and places change ---

  const movieField = (label) => all("#area input[type=text]").find((field) => {
    const row = field.closest("tr, p, .row, .field, .ui-entry");
    return row && label.test(row.textContent);
  });
  define(["multi-layouts", "multi-orderings"], {
    answer: (instruction) => {
      const [, genre, director, year] =
        /^Search for (.*) movies directed by (.*) from year (\d+)\.$/.exec(instruction);
      const submitting = one("#area button") || one("#area .final") || one("#area .ui-submit");
      return inTurn(
        () => fill(movieField(/Genre/), genre, 'the field "Genre"'),
        () => fill(movieField(/Director/), director, 'the field "Director"'),
        () => fill(movieField(/Year|Date/), year, 'the field "Year"'),
        () => press(submitting, FILLED));
    },
  });

  define("search-engine", {
    answer: (instruction) => {
      const [wanted] = quoted(instruction), [, position] = /the (\d)\w\w search/.exec(instruction);
      const links = all("#page-content a"), index = position - 1;
      const field = one("#search-text");
      if (field.value !== wanted) return fill(field, wanted, "the search field");
      const result = links.find((link) => link.getAttribute("data-result") === String(index));
      if (result) return press(result, `Result ${position} is number ${(index % 3) + 1} here.`);
      const first = links[0] && links[0].getAttribute("data-result");
      if (!first || first === "-1") return press(one("#search"), `The field holds "${wanted}".`);
      const page = String(Math.floor(index / 3) + 1);
      const link = all("#pagination a").find((a) => text(a) === page);
      return press(link, `Result ${position} is on page ${page}.`);
    },
  });
})();
