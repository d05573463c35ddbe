const WIDTH = 200;
const HEIGHT = 36;

/** A small line of values, without axes; a base line if there are fewer than two. */
export function Sparkline({ values, label, color = "var(--accent)" }: { values: number[]; label: string; color?: string }) {
  const least = Math.min(0, ...values);
  const most = Math.max(...values, least + 1e-9);
  const x = (index: number) => (index / (values.length - 1)) * WIDTH;
  const y = (value: number) => HEIGHT - 1 - ((value - least) / (most - least)) * (HEIGHT - 3);
  const line = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      <line x1="0" x2={WIDTH} y1={HEIGHT - 1} y2={HEIGHT - 1} stroke="var(--line)" vectorEffect="non-scaling-stroke" />
      {values.length > 1 && (
        <>
          <polygon points={`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} fill={color} opacity="0.12" />
          <polyline points={line} fill="none" stroke={color} strokeWidth="1.6" vectorEffect="non-scaling-stroke" />
        </>
      )}
    </svg>
  );
}
