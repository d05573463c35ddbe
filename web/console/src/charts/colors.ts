/** Colours of series, which follow the theme. */
const SERIES = 6;

export const seriesColor = (index: number) => `var(--series-${(index % SERIES) + 1})`;

/** The colour as a canvas needs it. */
export function resolved(color: string): string {
  const probe = document.createElement("span");
  probe.style.color = color;
  document.body.append(probe);
  const { color: found } = getComputedStyle(probe);
  probe.remove();
  return found;
}
