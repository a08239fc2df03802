"""The tasks of MiniWoB++ that have an expert, by the script that holds it."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "clicking": (
        "click-button", "click-button-sequence", "click-collapsible", "click-collapsible-2",
        "click-collapsible-2-nodelay", "click-collapsible-nodelay", "click-color", "click-dialog",
        "click-dialog-2", "click-link", "click-tab", "click-tab-2", "click-tab-2-easy",
        "click-tab-2-hard", "click-tab-2-medium", "click-test", "click-test-2",
        "click-test-transfer", "click-widget", "focus-text", "focus-text-2", "grid-coordinate",
        "unicode-test",
    ),
    "dragging": (
        "drag-box", "drag-circle", "drag-items", "drag-items-grid", "drag-shapes",
        "drag-shapes-2", "drag-single-shape", "drag-sort-numbers", "draw-line", "highlight-text",
        "highlight-text-2", "resize-textarea",
    ),
    "editing": (
        "copy-paste", "copy-paste-2", "terminal", "text-editor", "use-autocomplete",
        "use-autocomplete-nodelay",
    ),
    "mail": (
        "email-inbox", "email-inbox-delete", "email-inbox-forward", "email-inbox-forward-nl",
        "email-inbox-forward-nl-turk", "email-inbox-important", "email-inbox-nl-turk",
        "email-inbox-noscroll", "email-inbox-reply", "email-inbox-star-reply", "social-media",
        "social-media-all", "social-media-some",
    ),
    "shapes": (
        "ascending-numbers", "click-shades", "click-shape", "count-shape", "count-sides",
        "find-greatest", "generate-number", "hot-cold", "identify-shape", "number-checkboxes",
        "odd-or-even", "tic-tac-toe",
    ),
    "choosing": (
        "buy-ticket", "choose-list", "click-checkboxes", "click-checkboxes-large",
        "click-checkboxes-soft", "click-checkboxes-transfer", "click-menu", "click-menu-2",
        "click-option", "click-pie", "click-pie-nodelay", "click-scroll-list", "form-sequence-3",
        "navigate-tree", "order-food", "phone-book",
    ),
    "dates": (
        "book-flight", "book-flight-nodelay", "choose-date", "choose-date-easy",
        "choose-date-medium", "choose-date-nodelay", "daily-calendar",
    ),
    "sliders": ("form-sequence", "use-slider", "use-slider-2", "use-spinner"),
    "typing": (
        "enter-date", "enter-password", "enter-text", "enter-text-2", "enter-text-dynamic",
        "enter-time", "find-word", "form-sequence-2", "guess-number", "login-user",
        "login-user-popup", "multi-layouts", "multi-orderings", "read-table", "read-table-2",
        "scroll-text", "scroll-text-2", "search-engine", "sign-agreement", "simple-algebra",
        "simple-arithmetic", "text-transform", "visual-addition",
    ),
}  # fmt: skip
"""Script, without its ending, to tasks."""

EXPERT_TASKS = tuple(sorted(task for tasks in FAMILIES.values() for task in tasks))
"""The tasks that have an expert."""
