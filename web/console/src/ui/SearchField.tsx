import { useEffect, useState } from "react";

const PAUSE = 250; // milliseconds without a key, after which the text counts

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

/** A text to search for. */
export function SearchField({ label, value, onChange }: Props) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label className="field">
      <span>{label}</span>
      <input className="input" type="search" value={text} onChange={(event) => setText(event.target.value)} />
    </label>
  );
}
