import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useDark } from "../app/theme.ts";
import { inUtc } from "../format/inUtc.ts";
import { resolved, seriesColor } from "./colors.ts";

export interface Series {
  name: string;
  values: (number | null)[];
  /** Points alone instead of a line. */
  isPoints?: boolean;
  color?: string;
  show?: (value: number) => string;
}

interface Props {
  label: string;
  /** Times in milliseconds, ascending. */
  times: number[];
  series: Series[];
  height?: number;
  range?: [number, number];
  /** Called with the index of a time that was clicked. */
  onSelect?: (index: number) => void;
}

const HALF_DAY = 43_200; // seconds
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Values over time. The legend shows those at the pointer. */
export function LineChart({ label, times, series, height = 240, range, onSelect }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const select = useRef(onSelect);
  select.current = onSelect;
  const isDark = useDark();

  useEffect(() => {
    const element = frame.current!;
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { points: { size: 8 }, drag: { x: false, y: false } },
        scales: { x: { range: (_chart, from, to) => (times[0] === times.at(-1) ? [from - HALF_DAY, from + HALF_DAY] : [from, to]) }, y: range ? { range } : {} },
        axes: [axis(), { ...axis(), size: 48 }],
        series: [{ label: "Time", value: (_chart, time) => (time == null ? "" : `${moment.format(time * 1000)} (${inUtc(time * 1000)})`) }, ...series.map(line)],
      },
      [times.map((time) => time / 1000), ...series.map(({ values }) => values)],
      element,
    );
    const click = () => chart.cursor.idx != null && select.current?.(chart.cursor.idx);
    chart.over.addEventListener("click", click);
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [times, series, height, isDark]);

  return <div ref={frame} className="chart" role="img" aria-label={label} />;
}

function axis(): uPlot.Axis {
  const stroke = resolved("var(--quiet)");
  const grid = { stroke: resolved("var(--line)"), width: 1 };
  return { stroke, grid, ticks: grid, font: "11px system-ui, sans-serif" };
}

function line({ name, color, isPoints, show }: Series, index: number): uPlot.Series {
  const stroke = resolved(color ?? seriesColor(index));
  return {
    label: name,
    stroke,
    width: isPoints ? 0 : 2,
    spanGaps: true,
    ...(isPoints ? { paths: () => null, points: { show: true, size: 6, fill: stroke } } : {}),
    value: (_chart, value) => (value === null || value === undefined ? "" : (show ?? String)(value)),
  };
}
