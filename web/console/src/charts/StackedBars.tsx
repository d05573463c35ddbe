import { short } from "../format/numbers.ts";
import { Legend } from "./Legend.tsx";
import { useWidth } from "./useWidth.ts";

const HEIGHT = 190;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;

export interface Stack {
  name: string;
  color: string;
  values: number[];
}

interface Props {
  label: string;
  /** The names of the bars. */
  names: string[];
  /** Shorter names, of which some are shown below the bars. */
  shortNames?: string[];
  stacks: Stack[];
}

/** Amounts of several kinds, one bar a time. */
export function StackedBars({ label, names, shortNames = names, stacks }: Props) {
  const [ref, width] = useWidth();
  const sums = names.map((_, index) => stacks.reduce((sum, { values }) => sum + values[index]!, 0));
  const most = Math.max(1, ...sums);
  const step = (width - LEFT) / Math.max(1, names.length);
  const scale = (HEIGHT - TOP - BOTTOM) / most;
  const each = Math.ceil(names.length / Math.max(1, Math.floor(width / 110)));
  return (
    <div ref={ref} className="chart">
      <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="img" aria-label={label}>
        {[0, most / 2, most].map((value) => (
          <g key={value}>
            <line className="grid" x1={LEFT} x2={width} y1={HEIGHT - BOTTOM - value * scale} y2={HEIGHT - BOTTOM - value * scale} />
            <text x={LEFT - 6} y={HEIGHT - BOTTOM - value * scale + 4} textAnchor="end">{short(Math.round(value))}</text>
          </g>
        ))}
        {names.map((name, index) => (
          <g key={name}>
            <title>{`${name}\n${stacks.map((stack) => `${stack.name}: ${short(stack.values[index])}`).join("\n")}`}</title>
            {bars(stacks, index, scale, LEFT + index * step, Math.min(36, Math.max(1, step - 2)))}
            {index % each === 0 && <Name x={LEFT + index * step} width={width}>{shortNames[index]!}</Name>}
          </g>
        ))}
      </svg>
      <Legend of={stacks} />
    </div>
  );
}

const MOST_NAME = 70; // pixels

/** The name below a bar, which ends at the edge of the chart if it would cross it. */
function Name({ x, width, children }: { x: number; width: number; children: string }) {
  const isLast = x + MOST_NAME > width;
  return <text x={isLast ? width : x} y={HEIGHT - 5} textAnchor={isLast ? "end" : "start"}>{children}</text>;
}

function bars(stacks: Stack[], index: number, scale: number, x: number, width: number) {
  let y = HEIGHT - BOTTOM;
  return stacks.map(({ name, color, values }) => {
    const height = values[index]! * scale;
    y -= height;
    return height > 0 && <rect key={name} x={x} y={y} width={width} height={height} fill={color} rx={Math.min(2, height / 2)} />;
  });
}
