import { useEffect } from "react";

/** Lets Escape leave an editor, in which Tab is a character, for the frame around it. Monaco keeps
 * the key while it has something to close. */
export function useEscape(): void {
  useEffect(() => {
    const leave = ({ key, target }: KeyboardEvent) => {
      if (key !== "Escape" || !(target instanceof HTMLElement) || !target.closest(".monaco-editor")) return;
      target.closest<HTMLElement>(".graphiql-editor")?.focus();
    };
    addEventListener("keydown", leave);
    return () => removeEventListener("keydown", leave);
  }, []);
}
