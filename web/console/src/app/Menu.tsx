import { Link, useLocation } from "wouter";
import { useCurrentShown } from "../ui/useCurrentShown.ts";
import type { Section } from "./sections.tsx";

/** Links to the sections that the viewer may see. */
export function Menu({ sections }: { sections: Section[] }) {
  const [location] = useLocation();
  const menu = useCurrentShown(location);
  return (
    <nav ref={menu} className="menu" aria-label="Sections">
      {sections.map(({ path, name, icon }) => (
        <Link key={path} href={path} aria-current={isCurrent(location, path) ? "page" : undefined}>
          <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
            <path d={icon} />
          </svg>
          {name}
        </Link>
      ))}
    </nav>
  );
}

function isCurrent(location: string, path: string): boolean {
  return location === path || (path !== "/" && location.startsWith(`${path}/`));
}
