import { useState } from "react";

interface Props {
  of: string;
  name: "key" | "secret";
  onClose: () => void;
}

/** A new key or secret, which is shown once. */
export function Secret({ of, name, onClose }: Props) {
  const [isCopied, setCopied] = useState(false);
  return (
    <div className="success" role="status">
      <p><strong>Copy the {name} now: it is not shown again.</strong></p>
      <p><code>{of}</code></p>
      <p>
        <button type="button" className="button small" onClick={() => navigator.clipboard.writeText(of).then(() => setCopied(true))}>{isCopied ? "Copied" : "Copy"}</button>{" "}
        <button type="button" className="button small" onClick={onClose}>Hide it</button>
      </p>
    </div>
  );
}
