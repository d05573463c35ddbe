import { type ReactNode, useEffect } from "react";

interface Props {
  title: string;
  about?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page with its title, and what can be done about all of it. */
export function Page({ title, about, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · DreamNet`;
  }, [title]);
  return (
    <div className="page">
      <header>
        <div className="title">
          <h1>{title}</h1>
          {about && <p>{about}</p>}
        </div>
        {actions}
      </header>
      {children}
    </div>
  );
}
