// Tasks of single clicks: buttons, links, tabs, colors, shapes, boxes to focus.
(() => {
  const { define, all, one, text, quoted, click, press, pressOne, place, ordinal, line } =
    window.eyehandExperts;

  // An expert for a screen of named targets: [instruction, element, thought] each. The first target
  // of a name that can be seen is meant.
  const named = (targets) => ({
    others: () => targets().map(([instruction]) => instruction),
    answer: (instruction) => {
      const same = targets().filter(([known]) => known === instruction);
      for (const [, element, thought] of same) {
        const call = press(element, thought);
        if (call) return call;
      }
      return null;
    },
  });
  const at = (what, element) => () => `The ${what} is at the ${place(element)}.`;

  define("click-test", named(() => [
    ["Click the button.", one("#subbtn"), at("button", one("#subbtn"))],
  ]));
  define(["click-test-2", "click-test-transfer"], named(() =>
    [["ONE", "#subbtn"], ["TWO", "#subbtn2"]].map(([label, selector]) => [
      `Click button ${label}.`, one(selector), at(`button "${label}"`, one(selector)),
    ])));
  define("focus-text", named(() => [
    ["Focus into the textbox.", one("#tt"), at("textbox", one("#tt"))],
  ]));
  define("focus-text-2", named(() =>
    ["1st", "2nd", "3rd"].map((n, i) => [
      `Focus into the ${n} input textbox.`, one(`#tt${i + 1}`),
      at(`${ordinal(i)} textbox`, one(`#tt${i + 1}`)),
    ])));
  define("click-color", named(() =>
    all("#area .color").map((box) => {
      const color = box.getAttribute("data-color");
      return [`Click on the ${color} colored box.`, box, at(`${color} box`, box)];
    })));
  define("click-dialog", named(() => {
    const cross = one(".ui-dialog-titlebar-close");
    return [['Close the dialog box by clicking the "x".', cross, at('button "x"', cross)]];
  }));
  define("click-dialog-2", named(() => {
    const buttons = all(".ui-dialog-buttonset button").map((b) => [text(b), b]);
    return [...buttons, ["x", one(".ui-dialog-titlebar-close")]].map(([label, button]) => [
      `Click the button in the dialog box labeled "${label}".`, button,
      at(`button "${label}"`, button),
    ]);
  }));
  define("click-widget", named(() =>
    all("#area .widget").map((widget) => {
      const inner = widget.querySelector("input, textarea, button");
      const kind = inner.getAttribute("data-type");
      return [`Click on a "${kind}" widget.`, inner, at(`widget "${kind}"`, inner)];
    })));
  define("click-button", named(() =>
    all("#area button").map((b) => [
      `Click on the "${text(b)}" button.`, b, at(`button "${text(b)}"`, b),
    ])));
  define("unicode-test", named(() =>
    all("#area button").map((b) => [
      `Click on the "${text(b)}" button.`, b, at(`button "${text(b)}"`, b),
    ])));
  define("click-link", named(() =>
    all("#area .alink").map((link) => [
      `Click on the link "${text(link)}".`, link,
      () => `The link "${text(link)}" is in the ${line(link, one("#area"))} line.`,
    ])));
  define("click-tab", named(() =>
    all("#area ul a").map((tab) => [
      `Click on ${text(tab)}.`, tab, at(`tab "${text(tab)}"`, tab),
    ])));
  define("grid-coordinate", named(() =>
    all("#area circle").map((c) => [
      `Click on the grid coordinate ${c.id}.`, c, at(`coordinate ${c.id}`, c),
    ])));

  // --- links that are not all in view ---

  const linkIn = (block, name) => all(".alink", block).filter((link) => text(link) === name);
  const found = (block, name) =>
    pressOne(linkIn(block, name), (link) =>
      `The link "${name}" is in the ${line(link, block)} line.`);
  const linkNames = (block) => (block ? all(".alink", block).map(text) : []);

  const openTab = () => all("#area .ui-tabs-panel").find((panel) => panel.offsetHeight > 0);
  define(["click-tab-2", "click-tab-2-easy", "click-tab-2-medium", "click-tab-2-hard"], {
    others: () => linkNames(openTab()).map(
      (name) => `Switch between the tabs to find and click on the link "${name}".`),
    answer: (instruction) => {
      const [name] = quoted(instruction), tabs = all("#area ul a"), panel = openTab();
      if (panel && linkIn(panel, name).length) return found(panel, name);
      const open = tabs.findIndex((tab) => panel && tab.getAttribute("href") === `#${panel.id}`);
      const next = tabs[(open + 1) % tabs.length];
      return press(next, `The link "${name}" is not in this tab.`);
    },
  });

  const openSection = () => one(".ui-accordion-header[aria-expanded=true]");
  define(["click-collapsible-2", "click-collapsible-2-nodelay"], {
    others: () => (openSection() ? linkNames(openSection().nextElementSibling) : []).map(
      (name) => `Expand the sections below, to find and click on the link "${name}".`),
    answer: (instruction) => {
      const [name] = quoted(instruction), headers = all(".ui-accordion-header");
      const open = openSection(), content = open && open.nextElementSibling;
      if (open && linkIn(content, name).length) return found(content, name);
      const next = headers[(headers.indexOf(open) + 1) % headers.length];
      if (!open) return press(next, "No section is open.");
      return press(next, `The link "${name}" is not in this section.`);
    },
  });
  define(["click-collapsible", "click-collapsible-nodelay"], {
    answer: () =>
      openSection()
        ? press(one("#subbtn"), "The section is open.")
        : press(one(".ui-accordion-header"), "The section is closed."),
  });

  define("click-button-sequence", {
    answer: () => {
      const [first] = buttonsPushed;
      if (first === undefined) return click(one("#subbtn"), at('button "ONE"', one("#subbtn")));
      if (first !== "subbtn") return null;
      return click(one("#subbtn2"), at('button "TWO"', one("#subbtn2")));
    },
  });
})();
