'use strict';
'require view';
'require streamguard.luci as app';

return view.extend({
	load: function() {
		return app.load();
	},

	render: function(loaded) {
		return app.show(loaded, 'alerts');
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
