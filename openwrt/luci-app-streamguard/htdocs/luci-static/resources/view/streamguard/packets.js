'use strict';
'require streamguard.luci as app';

return app.page('packets');
