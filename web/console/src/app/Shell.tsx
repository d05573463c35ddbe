import { Suspense, useEffect, useRef } from "react";
import { Route, Switch, useLocation } from "wouter";
import { Empty } from "../ui/Empty.tsx";
import { Loading } from "../ui/Loading.tsx";
import { Account } from "./Account.tsx";
import { Brand } from "./Brand.tsx";
import { Menu } from "./Menu.tsx";
import { SearchButton } from "./SearchButton.tsx";
import { PAGES, sectionsOf } from "./sections.tsx";
import { useViewer } from "./viewer.ts";

/** The frame of all pages: sections at the side, the page beside them. */
export function Shell() {
  const sections = sectionsOf(useViewer());
  const [location] = useLocation();
  const main = useRef<HTMLElement>(null);
  useEffect(() => main.current?.focus({ preventScroll: true }), [location]);
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        Go to the content
      </a>
      <div className="side">
        <Brand />
        <SearchButton />
        <Menu sections={sections} />
        <Account />
      </div>
      <main ref={main} id="main" tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          <Switch>
            {PAGES.filter(([, , section]) => sections.includes(section)).map(([path, Page]) => (
              <Route key={path} path={path} component={Page} />
            ))}
            <Route>
              <Empty title="There is no such page for you.">
                The address is wrong, or your role may not see this page.
              </Empty>
            </Route>
          </Switch>
        </Suspense>
      </main>
    </div>
  );
}
