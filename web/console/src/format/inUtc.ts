/** A time as a text in UTC, such as "2025-03-17 09:30:00 UTC". */
export function inUtc(time: string | number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
