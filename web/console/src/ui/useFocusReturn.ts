import { useRef } from "react";

/** For dialogs that open without a trigger: at their end, focus returns to the element that had it
 * before, or to the page if that is not there any more. */
export function useFocusReturn(): (event: Event) => void {
  const opener = useRef(document.activeElement);
  const path = useRef(location.pathname);
  return (event) => {
    event.preventDefault();
    const isThere = opener.current instanceof HTMLElement && opener.current.isConnected && opener.current !== document.body;
    const target = isThere && path.current === location.pathname ? (opener.current as HTMLElement) : document.getElementById("main");
    target?.focus();
  };
}
