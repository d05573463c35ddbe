import { setTheme, THEMES, useTheme } from "./theme.ts";

/** Changes between the colours of the system, light and dark. */
export function ThemeButton() {
  const theme = useTheme();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
  return (
    <button type="button" className="button small" onClick={() => setTheme(next)} title={`Change to ${next}`}>
      Theme: {theme}
    </button>
  );
}
