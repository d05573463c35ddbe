export function modelPath(provider: string, name: string): string {
  return `/models/one?${new URLSearchParams({ provider, name })}`;
}
