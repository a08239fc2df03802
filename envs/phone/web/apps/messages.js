// Messages: conversations, one conversation, a new one.

import { h, matches, nextId } from "../dom.js";
import { settle } from "../render.js";
import { close, confirm, open, phone, snack } from "../system.js";
import { appBar, avatar, emptyLine, fab, field, iconButton, row, scroller } from "../widgets.js";

const find = (id) => phone.state.messages.find((one) => one.id === id);

function main(page) {
  const rows = phone.state.messages.map((one) => {
    const last = one.thread.at(-1);
    const text = last ? `${last.from === "me" ? "You: " : ""}${last.text}` : "";
    return row({ lead: avatar(one.name), title: one.name, text, id: "conversation", key: `conversation-${one.id}`,
      end: h("div", { class: "soft when" }, last?.time ?? ""), tap: () => open("thread", { id: one.id }),
      hold: () => remove(one) });
  });
  return [appBar("Messages", { first: true }), scroller("list", { page, class: "with-fab one-line" }, rows,
    rows.length ? [] : emptyLine("No conversations")), fab("chat", "Start chat", () => open("compose"), "start_chat")];
}

function bubble(message, index) {
  return h("div", { class: `bubble ${message.from}`, id: "message", key: `message-${index}` },
    h("div", { id: "message_text" }, message.text), h("div", { class: "when", id: "message_time" }, message.time));
}

function thread(page) {
  const one = find(page.args.id);
  const post = () => {
    if (!page.draft.reply?.trim()) return;
    send(one, page.draft.reply);
    page.draft.reply = "";
    delete page.scroll.thread;
    settle();
  };
  return [
    appBar(one.name, { actions: [iconButton("delete", "Delete conversation", () => remove(one), { id: "delete" })] }),
    scroller("thread", { page, class: "thread", id: "thread", start: "end" }, one.thread.map(bubble)),
    replyLine(page, "reply", "Text message", post),
  ];
}

function replyLine(page, name, label, post) {
  return h("div", { class: "reply" }, field(page, name, { label, enter: post }),
    iconButton("send", "Send message", post, { id: "send", solid: true }));
}

function send(one, text) {
  one.thread.push({ from: "me", text: text.trim(), time: phone.state.clock.now });
  phone.state.messages = [one, ...phone.state.messages.filter((other) => other !== one)];
}

function remove(one) {
  confirm("Delete this conversation?", `All messages with ${one.name} will be removed.`, "Delete", () => {
    const within = phone.tasks.get("com.android.messages").length > 1;
    phone.state.messages = phone.state.messages.filter((other) => other !== one);
    if (within) close();
    snack("Conversation deleted");
  });
}

function compose(page) {
  const to = (page.draft.to ?? "").trim();
  const exact = phone.state.contacts.some((contact) => contact.name === to);
  const fitting = exact ? [] : phone.state.contacts.filter((contact) => matches(contact.name, to) || contact.phone.includes(to));
  const choose = (contact) => { page.draft.to = contact.name; settle(); };
  return [
    appBar("New message"),
    h("div", { class: "to" }, field(page, "to", { label: "To: name or number", live: true, picture: "person", error: page.error })),
    scroller("people", { page, id: "people" }, fitting.map((contact) => row({ lead: avatar(contact.name), title: contact.name,
      text: contact.phone, id: "suggestion", key: `suggestion-${contact.id}`, tap: () => choose(contact) }))),
    replyLine(page, "text", "Text message", () => begin(page)),
  ];
}

function begin(page) {
  const { to = "", text = "" } = page.draft;
  page.error = to.trim() ? null : "Enter a name or a number";
  if (page.error || !text.trim()) return settle();
  const name = to.trim();
  const contact = phone.state.contacts.find((one) => one.name === name || one.phone === name);
  const fresh = { name: contact?.name ?? name, phone: contact?.phone ?? name };
  let one = phone.state.messages.find((other) => other.name === fresh.name || other.phone === fresh.phone);
  if (!one) {
    one = { id: nextId(phone.state.messages), ...fresh, thread: [] };
    phone.state.messages.push(one);
  }
  send(one, text);
  close();
  return open("thread", { id: one.id });
}

export const messages = { label: "Messages", icon: "chat", colour: "#2859c5", start: "main", pages: { main, thread, compose } };
