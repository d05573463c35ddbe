"""PostgreSQL: tables, statements and writes. Knows no GraphQL and no HTTP."""

from db import (
    agents as agents,
)
from db import (
    ai_models as ai_models,
)
from db import (
    ai_tests as ai_tests,
)
from db import (
    analytics as analytics,
)
from db import (
    api_keys as api_keys,
)
from db import (
    audit as audit,
)
from db import (
    config as config,
)
from db import (
    dreams as dreams,
)
from db import (
    events as events,
)
from db import (
    metrics as metrics,
)
from db import (
    notifications as notifications,
)
from db import (
    progress as progress,
)
from db import (
    usage as usage,
)
from db import (
    users as users,
)
from db.core.database import (
    Database as Database,
)
from db.core.database import (
    ReadSession as ReadSession,
)
from db.core.database import (
    WriteSession as WriteSession,
)
