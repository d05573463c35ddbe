import type { ReactNode } from "react";
import { Sparkline } from "./Sparkline.tsx";

interface Props {
  title: string;
  figure: ReactNode;
  note?: ReactNode;
  values?: number[];
  label?: string;
}

/** One figure, with its course. */
export function Tile({ title, figure, note, values, label }: Props) {
  return (
    <section className="card tile" aria-label={title}>
      <h3>{title}</h3>
      <p className="figure">{figure}</p>
      <small>{note}</small>
      {values && values.length > 1 && <Sparkline values={values} label={label ?? title} />}
    </section>
  );
}
