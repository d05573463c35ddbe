import { useMemo } from "react";
import { useParam } from "../app/useParam.ts";
import { between, type Range, rangeOf, RANGES, type RangeName } from "../format/range.ts";
import { inUtc } from "../format/inUtc.ts";
import { Segments } from "./Segments.tsx";

const CUSTOM = "custom";
const OPTIONS = [
  ...Object.entries(RANGES).map(([name, { name: text }]) => [name as RangeName, text] as const),
  [CUSTOM, "Custom"] as const,
];

/** The range of the address: a name such as `24h`, or `from` and `to`. */
export function useRange(initial: RangeName): Range {
  const [name] = useParam("range", initial);
  const [from] = useParam("from");
  const [to] = useParam("to");
  return useMemo(
    () => (from !== "" ? between(from, to || undefined) : rangeOf(name in RANGES ? (name as RangeName) : initial)),
    [name, from, to],
  );
}

/** Chooses a range that ends now, or two times of its own. */
export function RangeField({ initial }: { initial: RangeName }) {
  const [name, setName] = useParam("range", initial);
  const [from, setFrom] = useParam("from");
  const [to, setTo] = useParam("to");
  const range = useRange(initial);
  const isNamed = from === "";
  const choose = (next: RangeName | typeof CUSTOM) => {
    setFrom(next === CUSTOM ? range.from : "");
    setTo(next === CUSTOM ? (range.to ?? new Date().toISOString()) : "");
    if (next !== CUSTOM) setName(next);
  };
  return (
    <>
      <Segments
        label="Time range"
        options={OPTIONS}
        value={isNamed ? (name as RangeName) : CUSTOM}
        onChange={choose}
      />
      {!isNamed && <TimeField label="From" value={from} onChange={setFrom} />}
      {!isNamed && <TimeField label="To" value={to} onChange={setTo} />}
    </>
  );
}

function TimeField({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  return (
    <label className="field">
      <span>{label}</span>
      <input
        className="input"
        type="datetime-local"
        title={value && inUtc(value)}
        value={value && localText(new Date(value))}
        onChange={({ target }) => onChange(target.value && new Date(target.value).toISOString())}
      />
    </label>
  );
}

function localText(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
