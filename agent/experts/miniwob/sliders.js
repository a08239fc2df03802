// Tasks of sliders and spinners.
(() => {
  const { define, all, one, middle, drag, keys, press, inTurn, may } = window.eyehandExperts;

  const submit = (thought) => press(one("#subbtn"), thought);
  const boxOf = (element) => element.getBoundingClientRect();

  // Brings a slider near a value by a drag, then there by arrow keys; undefined where it is there.
  const slide = (slider, wanted, name = "The slider") => {
    const value = $(slider).slider("value"), handle = one(".ui-slider-handle", slider);
    if (value === wanted) return undefined;
    const thought = `${name} is at ${value}, not at ${wanted}.`;
    const { min: least, max: most, orientation } = $(slider).slider("option");
    const upright = orientation === "vertical";
    if (Math.abs(wanted - value) <= 4 && document.activeElement === handle && may("press_keys")) {
      return keys([wanted > value ? "ArrowRight" : "ArrowLeft"], thought);
    }
    const box = boxOf(slider), [x, y] = middle(box);
    const at = (number) => {
      const share = (number - least) / (most - least);
      return upright ? [x, box.bottom - share * box.height] : [box.left + share * box.width, y];
    };
    return drag(at(value), at(wanted), thought);
  };
  define("use-slider", {
    others: () => {
      const { min: least, max: most } = $("#slider").slider("option");
      return [0.1, 0.35, 0.6, 0.85].map((share) =>
        `Select ${Math.round(least + share * (most - least))} with the slider and hit Submit.`);
    },
    answer: (instruction) => inTurn(
      () => slide(one("#slider"), parseInt(/-?\d+/.exec(instruction)[0], 10)),
      () => submit("The slider is right.")),
  });
  define("use-slider-2", {
    answer: (instruction) => {
      const wanted = JSON.parse(/\[.*\]/.exec(instruction)[0]);
      return inTurn(
        ...wanted.map((value, i) => () => slide(one(`#slider-${i + 1}`), value, `Slider ${i + 1}`)),
        () => submit("Every slider is right."));
    },
  });
  define("form-sequence", {
    answer: (instruction) => {
      const [, value, nth] = /^Select (-?\d+) with.*the (\d)\w\w checkbox/.exec(instruction);
      const boxes = all("#area input[type=checkbox]");
      const wrong = boxes.findIndex((box, i) => box.checked !== (i === nth - 1));
      return inTurn(
        () => slide(one("#slider"), Number(value)),
        () => (wrong < 0 ? undefined : press(boxes[wrong],
          `Checkbox ${wrong + 1} is ${boxes[wrong].checked ? "ticked wrongly" : "not ticked"}.`)),
        () => submit("Everything is set."));
    },
  });
  define("use-spinner", {
    answer: (instruction) => {
      const wanted = parseInt(/-?\d+/.exec(instruction)[0], 10);
      const value = parseInt(one("#spinner").value, 10);
      if (value === wanted) return submit(`The spinner shows ${value}.`);
      const way = wanted > value ? "up" : "down";
      return press(one(`.ui-spinner-${way}`), `The spinner shows ${value}, not ${wanted}.`);
    },
  });
})();
