// Tasks with a calendar: dates to pick, a flight to book, an event to draw.
(() => {
  const {
    define, all, one, text, quoted, press, keys, drag, reveal, inTurn, fill, seen, spot, middle,
    offers, roll,
  } = window.eyehandExperts;

  const calendar = () => {
    const shown = one("#ui-datepicker-div");
    return shown && shown.offsetHeight > 0 ? shown : null;
  };
  const two = (number) => String(number).padStart(2, "0");
  const shownDays = () => (calendar() ? all("td[data-month]", calendar()) : []);
  const dateOf = (cell) => {
    const month = Number(cell.getAttribute("data-month")) + 1;
    return `${two(month)}/${two(text(cell))}/${cell.getAttribute("data-year")}`;
  };

  // Picks a date such as "12/31/2016" in the open calendar, or opens it.
  const pick = (field, date) => {
    if (!calendar()) {
      return press(field, `The date field ${field.value ? `holds ${field.value}` : "is empty"}.`);
    }
    const [month, day, year] = date.split("/").map(Number);
    const cell = shownDays().find((shown) => dateOf(shown) === date);
    if (cell) return press(one("a", cell), `Day ${day} is in this month.`);
    const title = text(one(".ui-datepicker-title", calendar()));
    const [shownMonth, , shownYear] = dateOf(shownDays()[0]).split("/").map(Number);
    const way = year * 12 + month < shownYear * 12 + shownMonth ? "prev" : "next";
    return press(one(`.ui-datepicker-${way}`, calendar()), `The calendar shows ${title}.`);
  };

  define(["choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay"], {
    others: () => shownDays().map((cell) => `Select ${dateOf(cell)} as the date and hit submit.`),
    answer: (instruction) => {
      const [date] = /\d+\/\d+\/\d+/.exec(instruction), field = one("#datepicker");
      if (field.value === date && !calendar()) return press(one("#subbtn"), `The date is ${date}.`);
      return pick(field, date);
    },
  });

  // --- booking a flight ---

  const menu = () => all(".ui-autocomplete").find((list) => list.offsetHeight > 0);
  const city = (field, wanted, name) => {
    const known = (value) => DOMESTIC_FLIGHTS.includes(value) && value.includes(wanted);
    const items = menu() ? all(".ui-menu-item", menu()) : [];
    const item = items.find((i) => known(text(i)));
    if (item && document.activeElement === field) {
      if (known(field.value)) {
        const marked = one(".ui-state-active", menu());
        return keys([marked ? "Enter" : "Escape"], "The suggestions are still shown.");
      }
      // An item at the edge would move as soon as the mouse is on it.
      const box = item.getBoundingClientRect(), list = menu().getBoundingClientRect();
      const whole = box.top > list.top - 2 && box.bottom < list.bottom + 2 && box.bottom < 210;
      if (whole) return press(item, `"${text(item)}" is suggested.`);
      // A key would take what it comes by for the text to look for.
      return roll(menu(), "down", "What is wanted is further down.") ||
        keys(["ArrowDown"], "What is wanted is further down.");
    }
    if (known(field.value)) return undefined;
    if (field.value !== wanted) return fill(field, wanted, name);
    const thought = `No suggestion is shown for ${name}.`;
    return document.activeElement === field ? keys(["ArrowDown"], thought) : press(field, thought);
  };
  define(["book-flight", "book-flight-nodelay"], {
    answer: (instruction) => {
      const [, wanted, from, to, date] =
        /^Book the (\w+) one-way flight from: (.*) to: (.*) on (.*)\.$/.exec(instruction);
      const origin = one("#flight-from"), target = one("#flight-to"), day = one("#datepicker");
      const right = [origin.value.includes(from), target.value.includes(to), day.value === date];
      if (!one("#results").classList.contains("hide")) {
        if (right.every((ok) => ok)) return offers(all("#results .flight"), wanted);
        return press(one("#menu-back"), "These are other flights.");
      }
      return inTurn(
        () => city(origin, from, 'the field "From"'),
        () => city(target, to, 'the field "To"'),
        () => (day.value === date && !calendar() ? undefined : pick(day, date)),
        () => press(one("#search"), "Everything is filled in."));
    },
  });

  // --- an event in a day's calendar: dragged over half hours, then named ---

  const HALF_HOURS = {
    "0.5 hours": 1, "30 mins": 1, "1 hour": 2, "60 mins": 2, "1.5 hours": 3, "90 mins": 3,
  };
  const hour = (name) => (parseInt(name, 10) % 12) + (name.endsWith("PM") ? 12 : 0);
  const slot = (index) => one(`#hh-${index}`);
  const taken = (index) => all("#area .event").some((event) => {
    const box = event.getBoundingClientRect(), [, y] = middle(slot(index).getBoundingClientRect());
    return event.id !== "newEvent" && box.top - 2 < y && y < box.bottom + 2;
  });
  const drawn = (event) => Number(event.getAttribute("data-start"));

  const draw = (from, to, length) => {
    const slots = Array.from({ length }, (_, i) => i);
    const starts = [];
    for (let s = from; s + length <= to; s++) if (!slots.some((i) => taken(s + i))) starts.push(s);
    const start = starts.find((s) => slots.every((i) => seen(slot(s + i)))) ?? starts[0];
    if (start === undefined) return null;
    const hidden = slots.map((i) => slot(start + i)).find((element) => !seen(element));
    if (hidden) return reveal(hidden);
    const [x, y] = spot(slot(start)), [, last] = spot(slot(start + length - 1));
    const shift = length === 1 ? 4 : 0;
    return drag([x, y - shift], [x, last + shift], "The time is free at this place.");
  };
  define("daily-calendar", {
    answer: (instruction) => {
      const [name] = quoted(instruction);
      const [, duration, from, to] =
        /^Create a (.*) event named .* between (\w+) and (\w+)\.$/.exec(instruction);
      const length = HALF_HOURS[duration], event = one("#newEvent"), dialog = one("#create-event");
      const first = hour(from) * 2, last = hour(to) * 2;
      if (!dialog) return event ? null : draw(first, last, length);
      const fits = event && Number(event.getAttribute("data-duration")) === length &&
        drawn(event) >= first && drawn(event) + length <= last;
      if (!fits) return press(one(".cancel", dialog), "The event is at the wrong time.");
      return inTurn(
        () => fill(one("#event-name"), name, 'the field "Event name"'),
        () => press(one(".create", dialog), "Everything is filled in."));
    },
  });
})();
