import { may, useViewer } from "../../app/viewer.ts";
import { Page } from "../../ui/Page.tsx";
import { Achievements } from "./Achievements.tsx";
import { AgentTiles } from "./AgentTiles.tsx";
import { Attention } from "./Attention.tsx";
import { Errors } from "./Errors.tsx";
import { EventTiles } from "./EventTiles.tsx";
import { Notifications } from "./Notifications.tsx";
import { SpendTile } from "./SpendTile.tsx";
import { TestTile } from "./TestTile.tsx";

/** What happens in DreamNet, at a glance: as much of it as the viewer may see. */
export function Overview() {
  const viewer = useViewer();
  const sees = {
    agents: may(viewer, "OPERATOR", "agents:read"),
    events: may(viewer, "OPERATOR", "events:read"),
    spend: may(viewer, "OPERATOR", "tests:read"),
    tests: may(viewer, "MEMBER", "tests:read"),
    alerts: may(viewer, "MEMBER", "alerts:read", "users:read"),
    notifications: may(viewer, "MEMBER", "notifications:read"),
  };
  return (
    <Page title="Overview">
      <div className="tiles">
        {sees.agents && <AgentTiles />}
        {sees.events && <EventTiles />}
        {sees.tests && <TestTile />}
        {sees.spend && <SpendTile />}
      </div>
      <div className="columns stacked">
        {sees.alerts && <Attention />}
        {sees.events && <Errors />}
        <Achievements />
        {sees.notifications && <Notifications />}
      </div>
    </Page>
  );
}
