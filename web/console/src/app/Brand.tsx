import { Link } from "wouter";

/** The name of the console, a link to its first page. */
export function Brand() {
  return (
    <Link href="/" className="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="#5b3fd1" />
        <path d="M21 21.500A8 8 0 1 1 16.500 7a6.500 6.500 0 0 0 4.500 14.500z" fill="#fff" />
      </svg>
      DreamNet
    </Link>
  );
}
