import type { ReactNode } from "react";
import { useSearchParams } from "wouter";
import { Time } from "../format/Time.tsx";
import { Empty } from "./Empty.tsx";

interface Props {
  /** What there is none of, such as "events". */
  of: string;
  dataRange: { from: string; to: string } | null | undefined;
  /** The length of the range that is offered, in days. */
  days: number;
  /** Shown if there is no data in any time. */
  children: ReactNode;
}

/** Says where data is, if there is none in the chosen time. */
export function DataElsewhere({ of, dataRange, days, children }: Props) {
  const [, setParams] = useSearchParams();
  if (!dataRange) return <>{children}</>;
  const show = () => {
    const end = (Math.floor(Date.parse(dataRange.to) / 60_000) + 1) * 60_000;
    setParams((before) => {
      const next = new URLSearchParams(before);
      next.set("from", new Date(end - days * 86_400_000).toISOString());
      next.set("to", new Date(end).toISOString());
      return next;
    });
  };
  return (
    <Empty title={`No ${of} in this time.`}>
      <p>There are {of} from <Time at={dataRange.from} /> to <Time at={dataRange.to} />.</p>
      <button type="button" className="button" onClick={show}>Show the last {days === 1 ? "day" : `${days} days`} of them</button>
    </Empty>
  );
}
