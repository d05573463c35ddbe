import type { ReactNode } from "react";
import type { CombinedError } from "urql";
import { problemOf } from "../api/problems.ts";
import { Sparkline } from "./Sparkline.tsx";

interface Props {
  title: string;
  figure: ReactNode;
  note?: ReactNode;
  /** Why there is no figure; shown in place of the note. */
  error?: CombinedError | undefined;
  values?: number[];
  /** What the values are. */
  label?: string;
  color?: string;
  /** Shown in place of a line of values. */
  children?: ReactNode;
}

/** One figure, with its course. */
export function Tile({ title, figure, note, error, values, label = title, color, children }: Props) {
  return (
    <section className="card tile" aria-label={title}>
      <h3>{title}</h3>
      <p className="figure">{figure}</p>
      <small>{error ? problemOf(error).message : note}</small>
      {children ?? (values && <Sparkline values={values} label={label} {...(color && { color })} />)}
    </section>
  );
}
