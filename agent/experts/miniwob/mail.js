// Tasks of an inbox and of a list of posts.
(() => {
  const {
    define, all, one, text, press, inTurn, fill, seen, place,
  } = window.eyehandExperts;

  // --- the inbox ---

  const shown = (id) => one(id) && one(id).offsetHeight > 0;
  const threads = () => all("#main .email-thread");
  const sender = (view) => text(one(".email-sender", view));

  // What an instruction asks: {task, by, to, message}.
  const REQUESTS = [
    ["reply", /^Find the email by (.*) and reply to them with the text "(.*)"\.$/, "message"],
    ["forward", /^Find the email by (.*) and forward that email to (.*)\.$/, "to"],
    ["delete", /^Find the email by (.*) and click the trash icon to delete it\.$/, ""],
    ["star", /^Find the email by (.*) and click the star icon to mark it as important\.$/, ""],
  ];
  const request = (instruction) => {
    const own = core.getUtterance();
    const isOwn = typeof own !== "string" && text(one("#query")) === instruction;
    if (isOwn) return { task: "forward", ...own.fields };
    for (const [task, pattern, field] of REQUESTS) {
      const match = pattern.exec(instruction);
      if (match) return { task, by: match[1], [field]: match[2] };
    }
    return null;
  };

  // Leaves a view whose text no action mends; `call` undefined means that nothing is left to do.
  const orLeave = (call, leaving, thought) => (call === null ? press(leaving, thought) : call);

  const replying = (view, { task, by, message }) => {
    const close = one("#close-reply");
    if (task !== "reply" || text(one(".reply-sender", view)) !== by) {
      return press(close, "This reply is not wanted.");
    }
    return inTurn(
      () => orLeave(fill(one("#reply-text"), message, "the reply"), close, "The reply is wrong."),
      () => press(one("#send-reply"), `The reply holds "${message}".`));
  };
  const forwarding = (view, { task, by, to }) => {
    const close = one("#close-forward"), mail = one("#email");
    const untouched = one("#forward-text").value === one(".email-body", mail).textContent;
    if (task !== "forward" || sender(mail) !== by || !untouched) {
      return press(close, "This is not to be forwarded.");
    }
    const field = one(".forward-sender", view);
    return inTurn(
      () => orLeave(fill(field, to, 'the field "to"'), close, "The receiver is wrong."),
      () => press(one("#send-forward"), `The field "to" holds "${to}".`));
  };
  const BUTTONS = {
    reply: ".email-reply", forward: ".email-forward", delete: ".trash", star: ".star",
  };
  const reading = (view, { task, by }) => {
    if (sender(view) !== by) return press(one("#close-email"), `This is not the email by ${by}.`);
    return press(one(BUTTONS[task], view), `The email by ${by} is open.`);
  };
  const listing = ({ task, by }) => {
    const thread = threads().find((t) => sender(t) === by);
    if (!thread) return null;
    const target = task === "delete" || task === "star"
      ? one(BUTTONS[task], thread) : one(".email-left", thread);
    return press(target, () => `The email by ${by} is at the ${place(target)}.`);
  };
  const mailOthers = () => {
    if (!shown("#main") || one("#email")) return [];
    const people = threads().filter((t) => seen(one(".trash", t))).map(sender);
    return people.flatMap((by) => [
      `Find the email by ${by} and click the trash icon to delete it.`,
      `Find the email by ${by} and click the star icon to mark it as important.`,
      `Find the email by ${by} and forward that email to ${people[0]}.`,
    ]);
  };
  define(
    [
      "email-inbox", "email-inbox-delete", "email-inbox-forward", "email-inbox-forward-nl",
      "email-inbox-forward-nl-turk", "email-inbox-important", "email-inbox-nl-turk",
      "email-inbox-noscroll", "email-inbox-reply", "email-inbox-star-reply",
    ],
    {
      others: mailOthers,
      answer: (instruction) => {
        const wanted = request(instruction);
        if (!wanted) return null;
        if (shown("#reply")) return replying(one("#reply"), wanted);
        if (shown("#forward")) return forwarding(one("#forward"), wanted);
        if (shown("#email")) return reading(one("#email"), wanted);
        if (shown("#search")) return press(one("#search-cancel"), "The search is open.");
        return listing(wanted);
      },
    });

  // --- posts ---

  const posts = () => all("#area .media");
  const author = (post) => text(one(".username", post));
  const MENU = {
    "Share via DM": "share", "Copy link to Tweet": "copy", "Embed Tweet": "embed",
    Mute: "menu-user", Block: "block-user", Report: "report",
  };
  const direct = (label) => label.toLowerCase();

  define("social-media", {
    others: () => posts().filter((post) => seen(one(".like", post))).flatMap((post) =>
      ["Reply", "Retweet", "Like", "Mute"].map(
        (label) => `For the user ${author(post)}, click on the "${label}" button.`)),
    answer: (instruction) => {
      const [, user, label] = /^For the user (.*), click on the "(.*)" button\.$/.exec(instruction);
      const own = posts().filter((post) => author(post) === user);
      const post = own.find((p) => seen(one(".more", p))) || own[0];
      if (!post) return null;
      const menu = one("ul", post), open = all("#area ul").find((ul) => ul.offsetHeight > 0);
      const at = (element) => () => `"${label}" of ${user} is at the ${place(element)}.`;
      if (open && open !== menu) {
        const other = one(".more", open.closest(".media"));
        return press(other, "The menu of another post is open.");
      }
      if (!(label in MENU)) {
        const icon = one(`.${direct(label)}`, post);
        return open && !seen(icon) ? press(one(".more", post), "The menu covers it.")
          : press(icon, at(icon));
      }
      if (!open) return press(one(".more", post), () => `The menu of ${user} is closed.`);
      const item = one(`.${MENU[label]}`, menu);
      return press(item, at(item));
    },
  });

  const toggled = (user, label, wantedCount) => {
    const isOwn = (icon) =>
      author(icon.closest(".media")) === user && icon.classList.contains(direct(label));
    const icons = all(".reply, .retweet, .like, .share");
    const active = (icon) => icon.classList.contains("active");
    const wrong = icons.find((icon) => active(icon) && !isOwn(icon));
    if (wrong) return press(wrong, "This icon is marked wrongly.");
    const own = icons.filter(isOwn), marked = own.filter(active);
    const count = wantedCount === "all" ? own.length : Number(wantedCount);
    if (marked.length > count) return press(marked[0], `More than ${count} are marked.`);
    if (marked.length === count) {
      const button = all("#area button").find((b) => text(b) === "Submit");
      return press(button, `${marked.length} posts by ${user} are marked.`);
    }
    const next = own.find((icon) => !active(icon));
    return next ? press(next, () => `A post by ${user} is at the ${place(next)}.`) : null;
  };
  const users = () => Array.from(new Set(posts().filter((p) => seen(one(".like", p))).map(author)));
  const LABELS = ["Reply", "Retweet", "Like", "Share"];
  define("social-media-all", {
    others: () => users().flatMap((user) => LABELS.map((label) =>
      `Click the "${label}" button on all posts by ${user} and then click Submit.`)),
    answer: (instruction) => {
      const [, label, user] =
        /^Click the "(.*)" button on all posts by (.*) and then click Submit\.$/.exec(instruction);
      return toggled(user, label, "all");
    },
  });
  define("social-media-some", {
    others: () => users().flatMap((user) => LABELS.map((label) =>
      `Click the "${label}" button on 1 post by ${user} and then click Submit.`)),
    answer: (instruction) => {
      const pattern = /^Click the "(.*)" button on (\d+) posts? by (.*) and then click Submit\.$/;
      const [, label, count, user] = pattern.exec(instruction);
      return toggled(user, label, count);
    },
  });
})();
