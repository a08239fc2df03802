// Reader: articles, those that were saved, those that were read.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { settle } from "../render.js";
import { open, phone, snack } from "../system.js";
import { appBar, chips, emptyLine, iconButton, scroller } from "../widgets.js";

const EMPTY = { Articles: "No articles", Saved: "Nothing saved yet", History: "Nothing read yet" };

const find = (id) => phone.state.reader.articles.find((article) => article.id === id);

function main(page) {
  const tab = page.draft.tab ?? "Articles";
  const { articles, history } = phone.state.reader;
  const shown = { Articles: articles, Saved: articles.filter((one) => one.bookmarked),
    History: [...history].reverse().map(find).filter(Boolean) }[tab];
  const choose = (name) => { page.draft.tab = name; page.scroll = {}; settle(); };
  return [appBar("Reader", { first: true }), chips(page, Object.keys(EMPTY), tab, choose, "tab"),
    scroller("list", { page, class: "cards" }, shown.map(card), shown.length ? [] : emptyLine(EMPTY[tab]))];
}

const minutes = (article) => `${Math.max(1, Math.round(article.body.split(/\s+/).length / 60))} min`;

function card(article) {
  return h("div", { class: "note card", id: "article", key: `article-${article.id}`, tap: () => read(article) },
    h("div", { class: "line strong", id: "article_title" }, article.title, article.bookmarked ? icon("bookmark", 16, true) : null),
    h("div", { class: "soft", id: "article_author" }, `${article.author} · ${minutes(article)}`),
    h("div", { class: "soft body", id: "article_start" }, article.body.split("\n\n")[0]));
}

function read(article) {
  const { reader } = phone.state;
  reader.history = [...reader.history.filter((id) => id !== article.id), article.id];
  open("article", { id: article.id });
}

function article(page) {
  const one = find(page.args.id);
  const save = () => {
    one.bookmarked = !one.bookmarked;
    snack(one.bookmarked ? "Article saved" : "Removed from saved");
  };
  return [
    appBar("", { actions: [iconButton("bookmark", one.bookmarked ? "Remove bookmark" : "Bookmark", save,
      { id: "bookmark", solid: one.bookmarked })] }),
    scroller("article", { page, class: "reading", id: "article_page" }, h("div", { class: "headline", id: "article_title" }, one.title),
      h("div", { class: "soft", id: "article_author" }, `By ${one.author} · ${minutes(one)}`),
      one.body.split("\n\n").map((text) => h("p", { id: "paragraph" }, text))),
  ];
}

export const reader = { label: "Reader", icon: "book", colour: "#1f7a8c", start: "main", pages: { main, article } };
