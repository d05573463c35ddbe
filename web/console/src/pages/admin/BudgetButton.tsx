/** The budget of a user, which opens its form for those who may change it. */
export function BudgetButton({ children, onOpen }: { children: string; onOpen: (() => void) | undefined }) {
  if (!onOpen) return children;
  return <button type="button" className="button small" aria-label={`Budget: ${children}`} onClick={onOpen}>{children}</button>;
}
