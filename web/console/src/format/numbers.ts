/** Numbers as texts, with their units. */
const NONE = "–";
type Value = number | string | null | undefined; // BigInt and Decimal are strings

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "negative" }); // -0.04 is 0.0
const significant = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const fractions = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 2 });

const shown = (format: (value: number) => string) => (value: Value) =>
  value === null || value === undefined ? NONE : format(Number(value));

export const count = shown((value) => whole.format(value));
export const short = shown((value) => (Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value)));
export const score = shown((value) => tenths.format(value));
export const number = shown((value) => significant.format(value));
export const percent = shown((value) => `${tenths.format(value)} %`);
export const dollars = shown((value) =>
  value !== 0 && Math.abs(value) < 0.1 ? fractions.format(value) : cents.format(value),
);

const DURATIONS: [string, number][] = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

export const duration = shown((milliseconds) => {
  const found = DURATIONS.find(([, length]) => milliseconds >= length);
  if (!found) return `${whole.format(milliseconds)} ms`;
  return `${significant.format(Number((milliseconds / found[1]).toFixed(1)))} ${found[0]}`;
});

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];

export const bytes = shown((value) => {
  const power = value < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log2(value) / 10));
  return `${Number((value / 1024 ** power).toFixed(1))} ${BYTES[power]}`;
});

export function plural(value: Value, one: string, many = `${one}s`): string {
  return `${count(value)} ${Number(value) === 1 ? one : many}`;
}

/** AVERAGE_SCORE as "Average score". */
export function inWords(name: string): string {
  const words = name.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
