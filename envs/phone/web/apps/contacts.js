// Contacts: a list, a person's page, a form.

import { byName, h, matches, nextId } from "../dom.js";
import { icon } from "../icons.js";
import { settle } from "../render.js";
import { close, confirm, open, openIn, phone, snack } from "../system.js";
import { appBar, avatar, button, emptyLine, fab, field, heading, iconButton, row, scroller, searchField } from "../widgets.js";

const find = (id) => phone.state.contacts.find((contact) => contact.id === id);

function main(page) {
  const all = [...phone.state.contacts].sort((a, b) => byName(a.name, b.name));
  const found = all.filter((contact) => matches(contact.name, page.draft.query ?? ""));
  const favourites = page.draft.query ? [] : found.filter((contact) => contact.favourite);
  const list = [
    favourites.length ? [heading("Favourites"), favourites.map((contact) => line(contact, "favourite"))] : [],
    favourites.length ? heading("All contacts") : [],
    found.map((contact) => line(contact, "contact")),
    found.length ? [] : emptyLine("No contacts found"),
  ];
  return [appBar("Contacts", { first: true }), searchField(page, "Search contacts"),
    scroller("list", { page, class: "with-fab" }, list), fab("add", "Add contact", () => open("edit"))];
}

function line(contact, kind) {
  return row({ lead: avatar(contact.name), title: contact.name, id: kind, key: `${kind}-${contact.id}`,
    end: contact.favourite && kind === "contact" ? icon("star", 18, true) : null,
    tap: () => open("detail", { id: contact.id }) });
}

function detail(page) {
  const contact = find(page.args.id);
  const favourite = () => { contact.favourite = !contact.favourite; settle(); };
  return [
    appBar("", { actions: [
      iconButton("star", contact.favourite ? "Remove from favourites" : "Add to favourites", favourite,
        { id: "favourite", solid: contact.favourite }),
      iconButton("edit", "Edit contact", () => edit(contact), { id: "edit" }),
      iconButton("delete", "Delete contact", () => remove(contact), { id: "delete" }),
    ] }),
    scroller("list", { page },
      h("div", { class: "portrait-head" }, avatar(contact.name), h("div", { class: "name", id: "name" }, contact.name)),
      h("div", { class: "buttons spread" }, button("Message", () => message(contact), { id: "message", class: "tonal" })),
      row({ lead: icon("phone"), title: contact.phone || "No phone number", text: "Phone", id: "phone" }),
      row({ lead: icon("mail"), title: contact.email || "No email address", text: "Email", id: "email" })),
  ];
}

function edit({ id, name, phone: number, email }) {
  open("edit", { id }, { name, phone: number, email });
}

function remove(contact) {
  confirm("Delete contact?", `${contact.name} will be removed from this phone.`, "Delete", () => {
    phone.state.contacts = phone.state.contacts.filter((other) => other !== contact);
    close();
    snack("Contact deleted");
  });
}

function message(contact) {
  const known = phone.state.messages.find((one) => one.name === contact.name || one.phone === contact.phone);
  if (known) openIn("com.android.messages", "thread", { id: known.id });
  else openIn("com.android.messages", "compose", {}, { to: contact.name });
}

function editor(page) {
  const save = () => store(page);
  return [
    appBar(page.args.id ? "Edit contact" : "New contact", { actions: [button("Save", save, { id: "save" })] }),
    scroller("form", { page, class: "form", id: "form" },
      field(page, "name", { label: "Name", picture: "person", error: page.error }),
      field(page, "phone", { label: "Phone", picture: "phone", type: "digits" }),
      field(page, "email", { label: "Email", picture: "mail" })),
  ];
}

function store(page) {
  const { name = "", phone: number = "", email = "" } = page.draft;
  if (!name.trim()) {
    page.error = "Enter a name";
    return settle();
  }
  const entry = { name: name.trim(), phone: number.trim(), email: email.trim() };
  if (page.args.id) Object.assign(find(page.args.id), entry);
  else phone.state.contacts.push({ id: nextId(phone.state.contacts), ...entry, favourite: false });
  close();
  return snack("Contact saved");
}

export const contacts = { label: "Contacts", icon: "person", colour: "#2f7d5b", start: "main", pages: { main, detail, edit: editor } };
