// The storefront: a customer, their list or the lists of all arms, and what comes of viewing, adding and buying.

import { column, emptyColumn, titleOf } from "./cards.js";
import { Choices } from "./choices.js";
import { CustomerField } from "./customers.js";
import { changeWords } from "./differences.js";
import { button, byId } from "./elements.js";
import { History } from "./history.js";
import { keepApiKey, newId } from "./kept.js";
import { glide, places } from "./motion.js";
import { Trouble, ask } from "./service.js";
import { ShownItems } from "./shown.js";
import { DONE, armName, inWords } from "./words.js";

const ARMS = ["champion", "challenger", "baseline"];
const OWN = "own"; // the list that the customer gets, of whichever arm is theirs
const SOME = 5; // customers to begin with

const columns = byId("columns");
const state = { shop: null, user: null, session: null, comparing: false, answers: new Map() };

const past = new History({
  section: byId("past"), note: byId("history-note"), list: byId("history-list"), more: byId("history-more"),
  visit: byId("visit"), visitList: byId("visit-list"),
});
const choices = new Choices({
  form: byId("choices-form"), note: byId("choices-note"), sources: byId("sources"), inStock: byId("in-stock"),
  inStockNote: byId("in-stock-note"), perCategory: byId("per-category"), category: byId("category"),
  maxPrice: byId("max-price"),
}, () => attempt(refresh));
const field = new CustomerField(
  { form: byId("customer-form"), input: byId("customer-id"), options: byId("customer-options") }, choose);
const shown = new ShownItems(({ user, session, answer }, itemIds, leaving) => {
  const events = itemIds.map((item_id) => eventOf("shown", item_id, { user, session, answer }));
  ask("v1/events", { body: { events }, keepalive: leaving }).catch(() => {}); // nobody waits for it
});

byId("access-form").addEventListener("submit", useKey);
byId("compare").addEventListener("click", compare);
addEventListener("hashchange", fromAddress);
if (inAddress()) begin(inAddress());
attempt(refresh);

// Do something that asks the service, instead of what is still under way; what goes wrong is told.
async function attempt(work) {
  state.turn?.abort();
  const turn = (state.turn = new AbortController());
  byId("trouble").replaceChildren();
  columns.setAttribute("aria-busy", "true");
  try {
    await work({ signal: turn.signal, onWait: say });
  } catch (error) {
    if (!turn.signal.aborted) tell(error, work);
  } finally {
    if (state.turn === turn) columns.setAttribute("aria-busy", "false");
  }
}

function tell(error, work) {
  if (!(error instanceof Trouble)) throw error;
  say("");
  if (!state.answers.size) columns.replaceChildren(); // what stands there is another customer's
  if (error.status === 401) {
    askForKey(work);
  } else {
    byId("trouble").replaceChildren(error.message, button("Try again", {}, () => attempt(work)));
  }
}

function say(words) {
  byId("status").textContent = words;
}

function askForKey(work) {
  const refused = !byId("access").hidden;
  state.locked = work;
  byId("access").hidden = false;
  byId("access-note").textContent = refused ? "This key was refused." : "It is kept in this tab until you close it.";
  byId("access-key").focus();
  byId("access-key").select();
}

function useKey(submitted) {
  submitted.preventDefault();
  keepApiKey(byId("access-key").value.trim());
  const work = state.locked;
  attempt(async (asking) => {
    await work(asking);
    byId("access").hidden = true;
    if (state.user !== null && past.user !== state.user) loadPast(state.user);
  });
}

async function learnShop(asking) {
  const shop = await ask("v1/shop", asking);
  state.shop = shop;
  byId("shop-name").textContent = inWords(shop.shop);
  byId("shop-note").textContent = `What each customer is shown, and why · ${shop.environment}`;
  document.title = `${inWords(shop.shop)} · Storefront`;
  choices.offer(shop);
  offerSome().catch(() => {}); // an id can be typed all the same
}

async function offerSome() {
  const { customers } = await ask(`v1/customers?limit=${SOME}`);
  byId("some").replaceChildren(...customers.map((user) => button(user, { "aria-label": `Customer ${user}` }, () => choose(user))));
}

function inAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("customer");
}

function fromAddress() {
  if (inAddress() && inAddress() !== state.user) choose(inAddress());
}

function choose(user) {
  if (inAddress() !== user) window.history.pushState(null, "", `#${new URLSearchParams({ customer: user })}`);
  begin(user);
  say("Asking the service…");
  attempt(refresh);
}

function begin(user) {
  Object.assign(state, { user, session: newId(), answers: new Map() });
  field.input.value = user;
  byId("list-title").textContent = `Ranked for ${user}`;
  past.startVisit();
  loadPast(user);
}

async function loadPast(user) {
  state.pastTurn?.abort();
  const { signal } = (state.pastTurn = new AbortController());
  try {
    past.show(user, await ask(`v1/customers/${encodeURIComponent(user)}`, { signal }));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Trouble)) throw error;
    if (error.status !== 401) past.cannotTell(user, error.message); // the list can be shown all the same
  }
}

async function refresh(asking, done = "") {
  if (!state.shop) await learnShop(asking);
  if (state.user === null) return;
  const filters = choices.filters();
  if (filters === null) {
    say("Switch at least one source on to see products.");
    return;
  }
  const arms = state.comparing ? ARMS : [OWN];
  const answers = await Promise.all(arms.map((arm) => answerOf(arm, filters, asking)));
  if (!asking.signal.aborted) render(new Map(arms.map((arm, place) => [arm, answers[place]])), done);
}

function answerOf(arm, filters, asking) {
  if (arm !== OWN && !state.shop.arms.some((offered) => offered.name === arm)) return null;
  const body = { user_id: state.user, explain: true, context: { session_id: state.session } };
  if (Object.keys(filters).length) body.filters = filters;
  if (arm !== OWN) body.arm = arm; // a preview: neither logged nor counted
  return ask("v1/recommend", { ...asking, body });
}

function render(answers, done) {
  const before = state.answers;
  const [from, focused] = [places(columns), focusedAction()];
  state.answers = answers;
  columns.classList.toggle("several", answers.size > 1);
  columns.replaceChildren(...[...answers].map(([arm, answer]) => columnOf(arm, answer, answers, before)));
  if (before.size) glide(columns, from);
  if (focused) focusAgain(focused);
  say([done, changes(answers, before)].filter(Boolean).join(" "));
  if (answers.has(OWN)) {
    const { user, session } = state;
    shown.watch({ user, session, answer: answers.get(OWN) }, columns.querySelectorAll("[data-item]"));
  }
}

function columnOf(arm, answer, answers, before) {
  if (!answer) return emptyColumn(arm, `There is no ${arm} beside the champion now.`);
  const own = arm === OWN;
  const champion = arm === "champion" ? null : answers.get("champion")?.items ?? null;
  return column({
    arm: own ? answer.arm : arm,
    answer,
    other: own ? before.get(OWN)?.items ?? null : champion,
    told: own ? "change" : "arm",
    onAct: (type, item) => act(type, item, own ? answer : null),
  });
}

function changes(answers, before) {
  const known = [...answers].filter(([arm, answer]) => answer && before.get(arm));
  if (!known.length) {
    const count = answers.values().next().value?.items.length ?? 0;
    return `${count} ${count === 1 ? "product" : "products"} for customer ${state.user}.`;
  }
  const told = known.map(([arm, answer]) => [arm, changeWords(answer.items, before.get(arm).items, titleOf)]);
  return told.map(([arm, words]) => (arm === OWN ? words : `${armName(arm)}: ${words}`)).join(" ");
}

function focusedAction() {
  const { act: type } = document.activeElement?.dataset ?? {};
  const card = document.activeElement?.closest("[data-item]");
  if (!type || !card) return null;
  const place = [...card.parentElement.children].indexOf(card);
  return { type, item: card.dataset.item, arm: card.closest("[data-arm]").dataset.arm, place };
}

// The same button of the same item; where that is gone, the card that took its place.
function focusAgain({ type, item, arm, place }) {
  const cards = [...columns.querySelectorAll("[data-item]")].filter((card) => card.closest("[data-arm]").dataset.arm === arm);
  const same = cards.find((card) => card.dataset.item === item);
  const next = cards[Math.min(place, cards.length - 1)];
  if (next) next.tabIndex = -1;
  (same?.querySelector(`[data-act="${type}"]`) ?? next ?? byId("list-title")).focus({ preventScroll: true });
}

function act(type, item, answer) {
  if (columns.ariaBusy === "true") return;
  const { user, session } = state;
  const event = eventOf(type, item.item_id, { user, session, answer });
  attempt(async (asking) => {
    await ask("v1/events", { body: { events: [event] }, onWait: say }); // goes on even when something else is asked
    if (state.user === user) {
      past.remember(event, titleOf(item));
      loadPast(user);
    }
    if (!asking.signal.aborted) await refresh(asking, `${DONE[type]} ${titleOf(item)}.`);
  });
}

function eventOf(type, item_id, { user, session, answer }) {
  const event = { event_id: newId(), type, user_id: user, item_id, session_id: session };
  if (answer) event.request_id = answer.request_id;
  if (type === "purchase") event.quantity = 1;
  return event;
}

function compare() {
  state.comparing = !state.comparing;
  byId("compare").setAttribute("aria-pressed", String(state.comparing));
  state.answers = new Map();
  attempt(refresh);
}
