import { useSearchParams } from "wouter";

/** A part of the view that the address holds; the default is not written. */
export function useParam(name: string, initial = ""): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const change = (value: string) =>
    setParams(
      () => {
        const next = new URLSearchParams(location.search); // with what other parts changed in this moment
        if (value === initial) next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  return [params.get(name) ?? initial, change];
}
