import { Choice } from "./Choice.tsx";

const REFRESHES = [["0", "Off"], ["10", "Every 10 s"], ["60", "Every minute"]] as const;

/** Chooses how often a view asks again, in seconds. */
export function RefreshChoice({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return <Choice label="Refresh" options={REFRESHES} value={value} onChange={onChange} />;
}
