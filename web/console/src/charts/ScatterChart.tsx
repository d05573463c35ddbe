import { Link } from "wouter";
import { Legend } from "./Legend.tsx";
import { useWidth } from "./useWidth.ts";

const HEIGHT = 340;
const LEFT = 40;
const BOTTOM = 36;
const TOP = 10;

export interface Point {
  key: string;
  name: string;
  x: number;
  y: number;
  /** The ends of an interval around y. */
  low?: number | null | undefined;
  high?: number | null | undefined;
  color: string;
  group: string;
  href?: string | undefined;
}

interface Props {
  label: string;
  points: Point[];
  xName: string;
  yName: string;
  showX: (value: number) => string;
}

/** Points by two values: x on a logarithmic scale, y from 0 to 100. */
export function ScatterChart({ label, points, xName, yName, showX }: Props) {
  const [ref, width] = useWidth();
  const xs = points.map(({ x }) => Math.log10(x));
  const [least, most] = [Math.floor(Math.min(...xs)), Math.ceil(Math.max(...xs) + 1e-9)];
  const x = (value: number) => LEFT + 8 + ((Math.log10(value) - least) / Math.max(1, most - least)) * (width - LEFT - 20);
  const y = (value: number) => TOP + (1 - value / 100) * (HEIGHT - TOP - BOTTOM);
  const decades = Array.from({ length: most - least + 1 }, (_, index) => 10 ** (least + index));
  const groups = new Map(points.map(({ group, color }) => [group, { name: group, color }]));
  return (
    <div ref={ref} className="chart">
      <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="group" aria-label={label}>
        {[0, 25, 50, 75, 100].map((value) => (
          <g key={value}>
            <line className="grid" x1={LEFT} x2={width} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 6} y={y(value) + 4} textAnchor="end">{value}</text>
          </g>
        ))}
        {decades.map((value) => (
          <g key={value}>
            <line className="grid" x1={x(value)} x2={x(value)} y1={TOP} y2={HEIGHT - BOTTOM} />
            <text x={x(value)} y={HEIGHT - BOTTOM + 15} textAnchor="middle">{showX(value)}</text>
          </g>
        ))}
        <text x={width} y={HEIGHT - 4} textAnchor="end">{xName} →</text>
        <text x={LEFT + 4} y={TOP + 10}>{yName}</text>
        {points.map((point) => (
          <Mark key={point.key} point={point} x={x(point.x)} y={y} />
        ))}
      </svg>
      <Legend of={[...groups.values()]} />
    </div>
  );
}

function Mark({ point, x, y }: { point: Point; x: number; y: (value: number) => number }) {
  const { name, low, high, color, href } = point;
  const mark = (
    <>
      <title>{name}</title>
      {low != null && high != null && (
        <line x1={x} x2={x} y1={y(low)} y2={y(high)} stroke={color} strokeWidth="1.5" opacity="0.45" />
      )}
      <circle cx={x} cy={y(point.y)} r="5" fill={color} fillOpacity="0.85" />
    </>
  );
  return href ? <Link href={href} aria-label={name}>{mark}</Link> : <g>{mark}</g>;
}
