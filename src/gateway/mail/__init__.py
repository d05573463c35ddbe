"""Mail: notifications sent by e-mail, to users who want them so."""
