// Clock: alarms with a chooser of hours and minutes, and a timer.

import { byName, h, nextId } from "../dom.js";
import { settle } from "../render.js";
import { close, confirm, open, phone, snack } from "../system.js";
import { appBar, button, chips, emptyLine, fab, field, heading, iconButton, scroller, stepper, toggle } from "../widgets.js";

const two = (number) => String(number).padStart(2, "0");
const range = (count, step = 1) => Array.from({ length: count }, (_, index) => index * step);

function main(page) {
  const tab = page.draft.tab ?? "Alarms";
  const tabs = chips(page, ["Alarms", "Timer"], tab, (name) => { page.draft.tab = name; settle(); }, "tab");
  return [appBar("Clock", { first: true }), tabs, ...(tab === "Alarms" ? alarms(page) : timer(page))];
}

function alarms(page) {
  const all = [...phone.state.alarms].sort((a, b) => byName(a.time, b.time) || a.id - b.id);
  return [scroller("alarms", { page, class: "with-fab cards", id: "alarms" }, all.map(card), all.length ? [] : emptyLine("No alarms")),
    fab("add", "Add alarm", () => open("alarm", {}, { hour: 8, minute: 0 }), "add")];
}

function card(alarm) {
  const flip = () => { alarm.enabled = !alarm.enabled; settle(); };
  const look = alarm.enabled ? "alarm card" : "alarm card pale";
  return h("div", { class: look, id: "alarm", key: `alarm-${alarm.id}`, tap: () => edit(alarm) },
    h("div", {}, h("div", { class: "digits", id: "alarm_time" }, alarm.time),
      h("div", { class: "soft", id: "alarm_label" }, alarm.label || "Alarm")),
    toggle(alarm.enabled, { id: "alarm_switch", key: `alarm-switch-${alarm.id}`, tap: flip, desc: `Alarm ${alarm.time}` }));
}

function edit({ id, time, label }) {
  const [hour, minute] = time.split(":").map(Number);
  open("alarm", { id }, { hour, minute, label });
}

function alarm(page) {
  const { draft, args } = page;
  const set = (name) => (value) => { draft[name] = value; settle(); };
  const nudge = (by) => button(by > 0 ? "+1 min" : "−1 min", () => set("minute")((draft.minute + by + 60) % 60),
    { id: by > 0 ? "minute_plus" : "minute_minus", class: "tonal" });
  return [
    appBar(args.id ? "Edit alarm" : "New alarm", { actions: [
      args.id ? iconButton("delete", "Delete alarm", () => remove(args.id), { id: "delete" }) : null,
      button("Save", () => store(page), { id: "save" })] }),
    scroller("form", { page, class: "form", id: "form" },
      h("div", { class: "digits large", id: "time" }, `${two(draft.hour)}:${two(draft.minute)}`),
      heading("Hour"), choices(range(24), "hour", draft.hour, set("hour")),
      heading("Minute"), choices(range(12, 5), "minute", draft.minute, set("minute")),
      h("div", { class: "buttons spread" }, nudge(-1), nudge(1)),
      heading("Label"), field(page, "label", { label: "Label" })),
  ];
}

function choices(numbers, name, chosen, choose) {
  return h("div", { class: "numbers", id: `${name}s` }, numbers.map((number) => h("div", {
    class: "pick", role: "Button", id: name, key: `${name}-${two(number)}`, desc: `${two(number)} ${name}`,
    selected: number === chosen, tap: () => choose(number) }, two(number))));
}

function store(page) {
  const { hour, minute, label = "" } = page.draft;
  const entry = { time: `${two(hour)}:${two(minute)}`, label: label.trim(), enabled: true };
  const known = phone.state.alarms.find((one) => one.id === page.args.id);
  if (known) Object.assign(known, entry);
  else phone.state.alarms.push({ id: nextId(phone.state.alarms), ...entry });
  close();
  snack(`Alarm set for ${entry.time}`);
}

function remove(id) {
  confirm("Delete alarm?", "This alarm will be removed.", "Delete", () => {
    phone.state.alarms = phone.state.alarms.filter((one) => one.id !== id);
    close();
    snack("Alarm deleted");
  });
}

function timer(page) {
  const { timer: now } = phone.state;
  const run = () => { now.running = !now.running && now.minutes + now.seconds > 0; settle(); };
  const reset = () => { Object.assign(now, { minutes: 0, seconds: 0, running: false }); settle(); };
  const part = (name, title) => [heading(title), now.running ? [] : stepper(`timer_${name}`, now[name],
    (value) => { now[name] = value; }, { most: 59, steps: [1, 10] })];
  return [scroller("timer", { page, class: "form", id: "timer" },
    h("div", { class: "digits large", id: "timer_time" }, `${two(now.minutes)}:${two(now.seconds)}`),
    now.running
      ? h("div", { class: "empty-line", id: "timer_running" }, "Running")
      : [part("minutes", "Minutes"), part("seconds", "Seconds")],
    h("div", { class: "buttons spread" }, button("Reset", reset, { id: "timer_reset", class: "tonal" }),
      button(now.running ? "Pause" : "Start", run, { id: "timer_start" })))];
}

export const clock = { label: "Clock", icon: "alarm", colour: "#6b4fa0", start: "main", pages: { main, alarm } };
