/** The last days, in UTC as the API has its buckets. */

export const DAYS = 14;
const DAY = 86_400_000;

/** The start of the first of them. */
export function firstDay(): string {
  return new Date((Math.floor(Date.now() / DAY) - DAYS + 1) * DAY).toISOString();
}

/** Sums of rows by the day of their bucket, one a day. */
export function byDay<Row>(
  from: string,
  rows: readonly Row[],
  bucketOf: (row: Row) => string | null | undefined,
  valueOf: (row: Row) => number,
): number[] {
  const days = new Array<number>(DAYS).fill(0);
  for (const row of rows) {
    const day = Math.floor((Date.parse(bucketOf(row)!) - Date.parse(from)) / DAY);
    if (day in days) days[day]! += valueOf(row);
  }
  return days;
}
