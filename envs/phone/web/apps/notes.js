// Notes: pinned ones first; an editor that keeps what was written when it is left.

import { h, matches, nextId } from "../dom.js";
import { icon } from "../icons.js";
import { settle } from "../render.js";
import { close, confirm, dialog, open, phone, snack } from "../system.js";
import { appBar, button, emptyLine, fab, field, heading, iconButton, scroller, searchField } from "../widgets.js";

const find = (id) => phone.state.notes.find((note) => note.id === id);

function main(page) {
  const query = page.draft.query ?? "";
  const found = phone.state.notes.filter((note) => matches(note.title, query) || matches(note.body, query));
  const pinned = found.filter((note) => note.pinned);
  const others = found.filter((note) => !note.pinned);
  return [appBar("Notes", { first: true }), searchField(page, "Search notes"),
    scroller("list", { page, class: "with-fab cards" },
      pinned.length ? [heading("Pinned"), pinned.map(card), others.length ? heading("Others") : []] : [], others.map(card),
      found.length ? [] : emptyLine("No notes found")),
    fab("add", "New note", () => open("note"))];
}

function card(note) {
  return h("div", { class: "note card", id: "note", key: `note-${note.id}`, tap: () => edit(note), hold: () => menu(note) },
    h("div", { class: "line strong", id: "note_title" }, note.title || "Untitled", note.pinned ? icon("pin", 16, true) : null),
    h("div", { class: "soft body", id: "note_body" }, note.body));
}

const edit = ({ id, title, body, pinned }) => open("note", { id }, { title, body, pinned });

function menu(note) {
  const pin = () => { note.pinned = !note.pinned; dialog(null); };
  dialog({ title: note.title || "Untitled", buttons: [
    { id: "pin", label: note.pinned ? "Unpin" : "Pin", tap: pin },
    { id: "delete", label: "Delete", tap: () => { dialog(null); remove(note); } },
  ] });
}

function note(page) {
  const pin = () => { page.draft.pinned = !page.draft.pinned; settle(); };
  const leave = () => { store(page); close(); };
  return [
    appBar("", { leave, actions: [
      iconButton("pin", page.draft.pinned ? "Unpin note" : "Pin note", pin, { id: "pin", solid: page.draft.pinned }),
      page.args.id ? iconButton("delete", "Delete note", () => remove(find(page.args.id)), { id: "delete" }) : null,
      button("Save", leave, { id: "save" })] }),
    scroller("form", { page, class: "form paper", id: "form" }, field(page, "title", { label: "Title" }),
      field(page, "body", { label: "Note", lines: 8 })),
  ];
}

/** Keep what the editor holds; a new note with nothing in it is not kept. */
function store(page) {
  const { title = "", body = "", pinned = false } = page.draft;
  const known = find(page.args.id);
  if (known) Object.assign(known, { title: title.trim(), body, pinned });
  else if (title.trim() || body.trim()) phone.state.notes.unshift({ id: nextId(phone.state.notes), title: title.trim(), body, pinned });
}

function remove(one) {
  confirm("Delete note?", `“${one.title || "Untitled"}” will be removed.`, "Delete", () => {
    const within = phone.tasks.get("com.android.notes").length > 1;
    phone.state.notes = phone.state.notes.filter((other) => other !== one);
    if (within) close();
    snack("Note deleted");
  });
}

export const notes = { label: "Notes", icon: "note", colour: "#b7791f", start: "main", pages: { main, note }, leave: { note: store } };
