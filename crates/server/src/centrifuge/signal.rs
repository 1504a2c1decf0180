//! How signals name what tokens name as well: the terms of a subscription.

use ordercast_hub::signal::{self, Terms};

use crate::access::tokens::{ChannelOptions, Overrides};

/// The terms of a subscription that another program asks for.
pub(crate) fn terms_of(options: &ChannelOptions) -> Terms {
    let Overrides { presence, join_leave, force_push_join_leave, force_recovery, force_positioning } =
        options.overrides;
    Terms {
        info: options.public_info().clone(),
        data: options.public_data().clone(),
        overrides: signal::Overrides { presence, join_leave, force_push_join_leave, force_recovery, force_positioning },
    }
}

/// The same as the claims of a token.
pub(super) fn options_of(terms: &Terms) -> ChannelOptions {
    let signal::Overrides { presence, join_leave, force_push_join_leave, force_recovery, force_positioning } =
        terms.overrides;
    ChannelOptions {
        info: terms.info.clone(),
        data: terms.data.clone(),
        overrides: Overrides { presence, join_leave, force_push_join_leave, force_recovery, force_positioning },
        ..ChannelOptions::default()
    }
}
