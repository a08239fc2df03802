// Shop: products by category, search and order, a product's page, the cart, the orders.

import { byName, h, matches, money, nextId } from "../dom.js";
import { icon } from "../icons.js";
import { settle } from "../render.js";
import { closeAll, confirm, open, phone, snack } from "../system.js";
import { appBar, button, chips, chooseDialog, emptyLine, iconButton, row, scroller, searchField, stepper } from "../widgets.js";

const SORTS = {
  Featured: (a, b) => a.id - b.id, "Price: low to high": (a, b) => a.price_cents - b.price_cents || a.id - b.id,
  "Price: high to low": (a, b) => b.price_cents - a.price_cents || a.id - b.id,
  "Best rating": (a, b) => b.rating - a.rating || a.id - b.id, Name: (a, b) => byName(a.name, b.name),
};
const PICTURES = { Home: "home", Electronics: "spark", Books: "book", Sports: "ball", Food: "cup" };
const HUES = { Home: 28, Electronics: 215, Books: 275, Sports: 140, Food: 350 };

const find = (id) => phone.state.shop.products.find((product) => product.id === id);
const inCart = (id) => phone.state.shop.cart.find((item) => item.product === id);
const total = (items) => items.reduce((sum, item) => sum + item.quantity * find(item.product).price_cents, 0);

function picture(product, size) {
  const hue = HUES[product.category] ?? 190;
  return h("div", { class: "picture", role: "Picture", style: { background: `hsl(${hue} 55% 88%)`, color: `hsl(${hue} 50% 36%)`,
    width: `${size / 10}rem`, height: `${size / 10}rem` } }, icon(PICTURES[product.category] ?? "box", size * 0.5));
}

const stars = (product) => h("span", { class: "stars", id: "rating" }, icon("star", 15, true), product.rating.toFixed(1));

function cartButton() {
  const count = phone.state.shop.cart.reduce((sum, item) => sum + item.quantity, 0);
  const badge = count ? h("div", { class: "count", id: "cart_count" }, String(count)) : null;
  const act = iconButton("cart", "Cart", () => open("cart"), { id: "cart" });
  if (badge) act.append(badge);
  return act;
}

function main(page) {
  const { query = "", category = "All", sort = "Featured" } = page.draft;
  const choose = (name) => (value) => { page.draft[name] = value; delete page.scroll.list; settle(); };
  const { products } = phone.state.shop;
  const found = products.filter((one) => (category === "All" || one.category === category) && matches(one.name, query)).sort(SORTS[sort]);
  const order = () => chooseDialog("Sort by", Object.keys(SORTS), sort, choose("sort"));
  return [
    appBar("Shop", { first: true, actions: [iconButton("sort", "Sort", order, { id: "sort" }),
      iconButton("receipt", "Orders", () => open("orders"), { id: "orders" }), cartButton()] }),
    searchField(page, "Search products"),
    chips(page, ["All", ...new Set(products.map((one) => one.category))], category, choose("category"), "category"),
    scroller("list", { page }, found.map(line), found.length ? [] : emptyLine("No products found")),
  ];
}

function line(product) {
  return h("div", { class: "row product", id: "product", key: `product-${product.id}`, tap: () => open("product", { id: product.id }) },
    picture(product, 64), h("div", { class: "lines" }, h("div", { class: "line", id: "product_name" }, product.name),
      stars(product), h("div", { class: "price", id: "price" }, money(product.price_cents))));
}

function product(page) {
  const one = find(page.args.id);
  const { quantity = 1 } = page.draft;
  const left = one.stock - (inCart(one.id)?.quantity ?? 0);
  return [appBar("", { actions: [cartButton()] }), scroller("product", { page, class: "form", id: "product_page" },
    h("div", { class: "stage" }, picture(one, 180)), h("div", { class: "headline", id: "product_name" }, one.name),
    h("div", { class: "facts" }, stars(one), h("span", { class: "soft", id: "category" }, one.category)),
    h("div", { class: "price large", id: "price" }, money(one.price_cents)),
    h("div", { class: "soft", id: "stock" }, one.stock ? `${one.stock} in stock` : "Out of stock"),
    h("div", { class: "buttons between" }, h("span", {}, "Quantity"),
      stepper("quantity", quantity, (value) => { page.draft.quantity = value; }, { least: 1, most: Math.max(1, left) })),
    button("Add to cart", () => add(page, one, Math.min(quantity, left)),
      { id: "add_to_cart", class: "filled wide", disabled: left < 1 }))];
}

function add(page, one, quantity) {
  const item = inCart(one.id);
  if (item) item.quantity += quantity;
  else phone.state.shop.cart.push({ product: one.id, quantity });
  page.draft.quantity = 1;
  snack("Added to cart");
}

function cart(page) {
  const { shop } = phone.state;
  const bottom = h("div", { class: "total" }, h("div", {}, h("div", { class: "soft" }, "Total"),
    h("div", { class: "price", id: "total" }, money(total(shop.cart)))), button("Place order", order, { id: "place_order" }));
  return [appBar("Cart"),
    scroller("cart", { page, id: "cart_list" }, shop.cart.map(cartLine), shop.cart.length ? [] : emptyLine("Your cart is empty")),
    shop.cart.length ? bottom : null];
}

function cartLine(item) {
  const one = find(item.product);
  const remove = () => { phone.state.shop.cart = phone.state.shop.cart.filter((other) => other !== item); settle(); };
  const act = iconButton("delete", `Remove ${one.name}`, remove, { id: "remove", key: `remove-${one.id}` });
  return h("div", { class: "row product", id: "cart_item", key: `cart-${one.id}` }, picture(one, 56),
    h("div", { class: "lines" }, h("div", { class: "line", id: "product_name" }, one.name),
      h("div", { class: "price", id: "price" }, money(one.price_cents * item.quantity)),
      stepper(`quantity_${one.id}`, item.quantity, (value) => { item.quantity = value; },
        { least: 1, most: Math.max(1, one.stock) })), act);
}

function order() {
  const { shop } = phone.state;
  confirm("Place order?", `You will pay ${money(total(shop.cart))}.`, "Order", () => {
    shop.orders.push({ id: nextId(shop.orders), items: shop.cart, total_cents: total(shop.cart) });
    shop.cart = [];
    closeAll();
    open("orders");
    snack("Order placed");
  });
}

function orders(page) {
  const contents = (one) => one.items.map((item) => `${item.quantity} × ${find(item.product)?.name ?? "?"}`).join(", ");
  const rows = [...phone.state.shop.orders].reverse().map((one) => row({ lead: icon("box"),
    title: `Order ${one.id}: ${money(one.total_cents)}`, text: contents(one), id: "order", key: `order-${one.id}` }));
  return [appBar("Orders"), scroller("orders", { page }, rows, rows.length ? [] : emptyLine("No orders yet"))];
}

export const shop = { label: "Shop", icon: "bag", colour: "#b23a5b", start: "main", pages: { main, product, cart, orders } };
