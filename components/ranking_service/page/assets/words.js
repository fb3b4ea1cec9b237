// What the service's names are called on the page.

const SOURCES = {
  history: "Bought before",
  popular: "Best sellers",
  trending: "Selling faster",
  neighbours: "Bought together",
  category: "Their categories",
  new: "New products",
  promoted: "On promotion",
  seen: "Looked at",
};

const FALLBACKS = {
  no_bundle: "No promoted bundle could be opened: a simple rule ranks.",
  arm_unavailable: "The bundle of this arm could not be opened: the champion ranks.",
  store_unavailable: "The feature store cannot be reached: everybody sees what sells.",
  rows_missing: "The store lost rows that a run had put there.",
  stale_features: "The features are older than they should be.",
  session_neighbours: "This customer is new: the list follows what they looked at in this visit.",
  unknown_user: "This customer is not known: they see what sells.",
};

const ARMS = { champion: "Champion", challenger: "Challenger", baseline: "Baseline" };

export const DONE = { view: "Viewed", add_to_cart: "Added", purchase: "Bought" };

export function sourceName(name) {
  return SOURCES[name] ?? inWords(name);
}

export function armName(name) {
  return ARMS[name] ?? inWords(name);
}

export function fallbackWords(name) {
  return FALLBACKS[name] ?? `Answered with a fallback: ${name}.`;
}

// Shops shout in capitals and join with underscores; nothing else of their words is changed.
export function inWords(text) {
  const spaced = /^[a-z0-9]+(_[a-z0-9]+)*$/.test(text) ? text.replaceAll("_", " ") : text;
  const calm = spaced === spaced.toUpperCase() ? spaced.toLowerCase() : spaced;
  return calm.charAt(0).toUpperCase() + calm.slice(1);
}

// A path of categories without the level that the title repeats.
export function categoryWords(category, title) {
  if (!category) return "";
  const levels = category.split(" / ").filter((level) => !title.startsWith(level));
  return levels.map(inWords).join(" › ");
}

export function timesWords(count) {
  return count === 1 ? "once" : count === 2 ? "twice" : `${count.toLocaleString("en")} times`;
}

export function agoWords(days) {
  if (days === null) return "";
  const whole = Math.round(days);
  return days < 1 ? "less than a day ago" : whole === 1 ? "1 day ago" : `${whole.toLocaleString("en")} days ago`;
}

export function listed(parts) {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}
